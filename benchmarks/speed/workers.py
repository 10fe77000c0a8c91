"""Measure what training on several workers costs: two processes of one core each, and one of two cores.

    python -m benchmarks workers                               # five rounds of three epochs each
    python -m benchmarks workers --rounds 1 --images 1000      # a rough look
    python -m benchmarks workers --params configs/cifar10.yaml
    python -m benchmarks workers --device gpu                  # one GPU, and all GPUs of this machine

Both train the same network on the same made-up images, in turns, by the train stage's command. The two
processes talk over the loopback interface, by MultiWorkerMirroredStrategy. The median of the epochs counts,
without the first one, in which TensorFlow builds its graphs.
"""

import argparse
import functools
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML

from benchmarks import child, machine, options
from benchmarks.speed import images, targets
from stages.running import errors

LEAST_SHARE = 0.85  # of the rate of one process


class Way(NamedTuple):
    """Where a training runs."""

    name: str
    strategy: str  # the value of train.strategy
    cores: list[set[int]]  # of each process


def main(words: Sequence[str]) -> None:
    """Run the benchmark."""
    parser = options.parser("workers", __doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=15_000, help="of an epoch")
    parser.add_argument("--epochs", type=int, default=3, help="of a round; the first one does not count")
    parser.add_argument("--device", choices=["cpu", "gpu"], default="cpu")
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--output", type=Path, default=Path("reports/benchmarks/workers.json"))
    chosen = parser.parse_args(words)
    if chosen.rounds < 1 or chosen.epochs < 2:
        received = f"{chosen.rounds} of {chosen.epochs}"
        raise errors.BadInput(f"expected at least one round of two epochs, received {received}")
    ways = compared(chosen.device)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name)
        prepare(folder, ways, chosen)
        seconds: dict[str, list[float]] = {way.name: [] for way in ways}
        for number in range(chosen.rounds):
            for way in ways:
                seconds[way.name] += train(folder, way, chosen.device)[1:]
                median = statistics.median(seconds[way.name])
                print(f"round {number}, {way.name}: {median:.2f} s per epoch", file=sys.stderr, flush=True)
    report = summarize(seconds, chosen.images, LEAST_SHARE if chosen.device == "cpu" else 0.0)
    machine.publish(chosen.output, targets.render(report["targets"]), report)


def compared(device: str) -> list[Way]:
    """Return the two ways that are compared.

    Raises:
        errors.BadInput: there are not two cores.
    """
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(cores) < 2:
        raise errors.BadInput("expected two cores and a system that gives them to processes (Linux)")
    if device == "gpu":
        return [Way("one GPU", "one", [set(cores)]), Way("all GPUs", "mirrored", [set(cores)])]
    first, second, *_ = cores
    return [
        Way("one process of two cores", "one", [{first, second}]),
        Way("two processes of one core", "multi_worker", [{first}, {second}]),
    ]


def prepare(folder: Path, ways: Sequence[Way], chosen: argparse.Namespace) -> None:
    """Write records of made-up images, and a params file for each way."""
    images.write(folder / "subset", chosen.images)
    shutil.copyfile(chosen.params, folder / "params.yaml")
    child.stage("records", folder, *child.FILES["records"])
    yaml = YAML()
    for way in ways:
        document = yaml.load(folder / "params.yaml")
        document["train"] |= {"strategy": way.strategy, "epochs": chosen.epochs, "patience": None}
        document["train"]["fine_tuning"]["head_epochs"] = 0
        yaml.dump(document, folder / f"{way.strategy}.yaml")


def train(folder: Path, way: Way, device: str) -> list[float]:
    """Train in one way; return the seconds of each epoch.

    Raises:
        errors.BadInput: a process fails; with the last lines that it said.
    """
    workers = [f"127.0.0.1:{port}" for port in _free_ports(len(way.cores))]
    running = [_start(folder, way, device, workers, number) for number in range(len(workers))]
    try:
        said = [process.communicate()[0] for process in running]
    finally:
        for process in running:
            process.kill()
    for process, text in zip(running, said, strict=True):
        if process.returncode:
            last = "\n".join(text.splitlines()[-child.LAST_LINES :])
            raise errors.BadInput(f"a training failed with status {process.returncode}:\n{last}")
    return json.loads((folder / "timing.json").read_text())["epochs"]


def summarize(seconds: dict[str, list[float]], count: int, least: float) -> dict[str, Any]:
    """Rates, and their quotient with its bound, from the seconds of epochs over `count` images."""
    rates = [count / statistics.median(found) for found in seconds.values()]
    found = [
        targets.Target(way, rate, "at least", 0, "images/s") for way, rate in zip(seconds, rates, strict=True)
    ]
    found.append(targets.Target("the second to the first", rates[1] / rates[0], "at least", least, "times"))
    return {
        "images_per_epoch": count,
        "seconds_per_epoch": seconds,
        "targets": [each.as_json() for each in found],
    }


def _start(folder: Path, way: Way, device: str, workers: list[str], number: int) -> subprocess.Popen:
    paths = [folder / name for name in ("records/train", "records/val", f"model-{number}", f"{number}.csv")]
    params = folder / f"{way.strategy}.yaml"
    config = {"cluster": {"worker": workers}, "task": {"type": "worker", "index": number}}
    own = {"TF_CONFIG": json.dumps(config), "IMAGE_PIPELINE_CACHE": str(folder / "cache")}
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "stages.train",
            *paths,
            "--timing",
            folder / "timing.json",
            "--params",
            params,
        ],
        cwd=child.PROJECT,
        env=child.environment(device) | own,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=functools.partial(os.sched_setaffinity, 0, way.cores[number]),
    )


def _free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports
