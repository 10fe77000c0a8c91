"""Measure what training on several workers costs: two processes of one core each, and one of two cores.

    python -m benchmarks workers                               # five rounds of three epochs each
    python -m benchmarks workers --rounds 1 --images 1000      # a rough look
    python -m benchmarks workers --params configs/cifar10.yaml

Both train the same network on the same made-up images, in turns, by the train stage's command. The two
processes talk over the loopback interface, by MultiWorkerMirroredStrategy. The median of the epochs counts,
without the first one, in which TensorFlow builds its graphs.
"""

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
from typing import Any

from ruamel.yaml import YAML

from benchmarks import child, machine, options
from benchmarks.speed import images, targets
from stages.running import errors

LEAST_SHARE = 0.85  # of the rate of one process
WAYS = {"one process of two cores": 1, "two processes of one core": 2}  # with the number of processes


def main(words: Sequence[str]) -> None:
    """Run the benchmark."""
    parser = options.parser("workers", __doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=15_000, help="of an epoch")
    parser.add_argument("--epochs", type=int, default=3, help="of a round; the first one does not count")
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--output", type=Path, default=Path("reports/benchmarks/workers.json"))
    chosen = parser.parse_args(words)
    if chosen.rounds < 1 or chosen.epochs < 2:
        received = f"{chosen.rounds} of {chosen.epochs}"
        raise errors.BadInput(f"expected at least one round of two epochs, received {received}")
    if not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2:
        raise errors.BadInput("expected two cores and a system that gives them to processes (Linux)")
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name)
        prepare(folder, chosen.params, chosen.images, chosen.epochs)
        seconds: dict[str, list[float]] = {way: [] for way in WAYS}
        for number in range(chosen.rounds):
            for way, processes in WAYS.items():
                seconds[way] += train(folder, processes)[1:]
                median = statistics.median(seconds[way])
                print(f"round {number}, {way}: {median:.2f} s per epoch", file=sys.stderr, flush=True)
    report = summarize(seconds, chosen.images)
    machine.publish(chosen.output, targets.render(report["targets"]), report)


def prepare(folder: Path, params: Path, count: int, epochs: int) -> None:
    """Write records of made-up images, and a params file for each number of processes."""
    images.write(folder / "subset", count)
    shutil.copyfile(params, folder / "params.yaml")
    child.stage("records", folder, "subset", "records", "records.png")
    yaml = YAML()
    for processes, strategy in ((1, "one"), (2, "multi_worker")):
        document = yaml.load(folder / "params.yaml")
        document["train"] |= {"strategy": strategy, "epochs": epochs, "patience": None}
        document["train"]["fine_tuning"]["head_epochs"] = 0
        yaml.dump(document, folder / f"params-{processes}.yaml")


def train(folder: Path, processes: int) -> list[float]:
    """Train with one or two processes that share two cores; return the seconds of each epoch.

    Raises:
        errors.BadInput: a process fails; with the last lines that it said.
    """
    first, second, *_ = sorted(os.sched_getaffinity(0))
    cores = [{first, second}] if processes == 1 else [{first}, {second}]
    workers = [f"127.0.0.1:{port}" for port in _free_ports(processes)]
    running = [_start(folder, workers, number, own) for number, own in enumerate(cores)]
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


def summarize(seconds: dict[str, list[float]], count: int) -> dict[str, Any]:
    """Rates, and their quotient, from the seconds of epochs over `count` images."""
    rates = [count / statistics.median(found) for found in seconds.values()]
    found = [
        targets.Target(way, rate, "at least", 0, "images/s") for way, rate in zip(WAYS, rates, strict=True)
    ]
    found.append(targets.Target("two processes to one", rates[1] / rates[0], "at least", LEAST_SHARE, ""))
    return {
        "images_per_epoch": count,
        "seconds_per_epoch": seconds,
        "targets": [each.as_json() for each in found],
    }


def _start(folder: Path, workers: list[str], number: int, cores: set[int]) -> subprocess.Popen:
    paths = [folder / name for name in ("records/train", "records/val", f"model-{number}", f"{number}.csv")]
    params = folder / f"params-{len(workers)}.yaml"
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
        env=child.environment() | own,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=functools.partial(os.sched_setaffinity, 0, cores),
    )


def _free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports
