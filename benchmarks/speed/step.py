"""Measure a training step beside Keras and PyTorch, which train the same network.

    python -m benchmarks step                          # five rounds of an epoch each
    python -m benchmarks step --rounds 3 --steps 20    # a rough look

The network is the three-block CNN of configs/cifar10-three-classes.yaml (289,443 parameters) with Adam
and batches of 128, on the CPU. Each peer is a file in benchmarks/speed/peers/ and a process of its own; they
take turns, round by round, so that a change in the machine's speed meets all of them.
"""

import contextlib
import importlib.util
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks import machine, options, table
from benchmarks.speed import images, targets, worker
from stages.layers import processor
from stages.running import errors, outputs

PEERS = ["ours", "keras_shipped", "keras_tutorial", "keras_tuned", "pytorch", "pytorch_compiled"]
CONFIG = Path("configs/cifar10-three-classes.yaml")
BATCH_SIZE = 128
EPOCH = 15_000  # images
# How many times as fast as the tutorial's code and as the faster PyTorch, by instruction set.
AIMS = {"amx": (3.5, 1.6)}
AIMS_ELSEWHERE = (1.55, 1.1)

Rounds = dict[str, list[dict[str, float]]]  # by peer: loss and seconds of each round


def main(words: Sequence[str]) -> None:
    """Run the benchmark."""
    parser = options.parser("step", __doc__)
    parser.add_argument("--rounds", type=int, default=5, help="after one to warm up")
    parser.add_argument("--steps", type=int, help="per round, instead of an epoch's 118")
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=PEERS)
    parser.add_argument("--output", type=Path, default=Path("reports/benchmarks/step.json"))
    chosen = parser.parse_args(words)
    if chosen.rounds < 1 or (chosen.steps is not None and chosen.steps < 1):
        raise errors.BadInput(
            f"expected at least one round of one step, received {chosen.rounds} of {chosen.steps}"
        )
    require_torch(chosen.peers)
    count = chosen.steps * BATCH_SIZE if chosen.steps else EPOCH
    with temporary_folder(CONFIG) as folder:
        images.write(folder / "subset", count)
        with started(chosen.peers, folder) as workers:
            measured = take_turns(workers, 1 + chosen.rounds)
    seconds = {peer: [each["seconds"] for each in turns[1:]] for peer, turns in measured.items()}
    report = {"machine": machine.describe(), **summarize(seconds, count)}
    outputs.write_json(chosen.output, report)
    print(render(report))


def require_torch(peers: Sequence[str]) -> None:
    """Refuse peers that cannot run.

    Raises:
        errors.BadInput: one needs PyTorch, which is not installed.
    """
    if any(peer.startswith("pytorch") for peer in peers) and not importlib.util.find_spec("torch"):
        raise errors.BadInput(
            "the PyTorch peers need torch, which is not installed: pip install -r requirements-bench.txt,"
            " or name the others with --peers"
        )


@contextlib.contextmanager
def temporary_folder(params: Path) -> Iterator[Path]:
    """A temporary folder with the params file in it."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        shutil.copyfile(params, Path(folder) / "params.yaml")
        yield Path(folder)


@contextlib.contextmanager
def started(peers: Sequence[str], folder: Path) -> Iterator[list[worker.Worker]]:
    """A process for each peer, to train on `folder`/subset with `folder`/params.yaml.

    Raises:
        errors.BadInput: the records stage ends.
    """
    if "ours" in peers:
        _build_records(folder)
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(worker.Worker(peer, folder)) for peer in peers]


def take_turns(workers: Sequence[worker.Worker], rounds: int) -> Rounds:
    """Train a number of epochs of each, in turns.

    Raises:
        errors.BadInput: a process of theirs ends.
    """
    measured: Rounds = {each.name: [] for each in workers}
    for number in range(rounds):
        for each in workers:
            measured[each.name].append(each.epoch())
            print(f"round {number}, {each.name}: {measured[each.name][-1]}", file=sys.stderr, flush=True)
    return measured


def _build_records(folder: Path) -> None:
    paths = [folder / "subset", folder / "records", folder / "figure.png", "--params", folder / "params.yaml"]
    command = [sys.executable, "-m", "stages.records", *map(str, paths)]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise errors.BadInput(f"the records stage ended with status {done.returncode}:\n{done.stderr}")


def summarize(seconds: dict[str, list[float]], count: int) -> dict[str, Any]:
    """Medians, rates and ratios from the seconds of every round over `count` images."""
    per_epoch = {peer: [each * EPOCH / count for each in rounds] for peer, rounds in seconds.items()}
    medians = {peer: statistics.median(rounds) for peer, rounds in per_epoch.items()}
    ours = medians.get("ours", float("nan"))
    rows = {
        peer: {
            "images_per_second": EPOCH / medians[peer],
            "median_seconds_per_epoch": medians[peer],
            "seconds_per_epoch": rounds,
            "times_ours": medians[peer] / ours if "ours" in medians else None,
        }
        for peer, rounds in per_epoch.items()
    }
    return {
        "batch_size": BATCH_SIZE,
        "images_per_epoch": EPOCH,
        "images_per_round": count,
        "peers": rows,
        "targets": [each.as_json() for each in _targets(medians)],
    }


def _targets(medians: dict[str, float]) -> list[targets.Target]:
    tutorial = medians.get("keras_tutorial")
    pytorch = min(
        (medians[peer] for peer in ("pytorch", "pytorch_compiled") if peer in medians), default=None
    )
    of_tutorial, of_pytorch = AIMS.get(processor.instruction_set(), AIMS_ELSEWHERE)
    rows = [
        ("as fast as the tutorial's code", tutorial, of_tutorial),
        ("as fast as the faster PyTorch", pytorch, of_pytorch),
    ]
    ours = medians.get("ours")
    return [
        targets.Target(what, seconds / ours if seconds and ours else None, "at least", bound, "times")
        for what, seconds, bound in rows
    ]


def render(report: dict[str, Any]) -> str:
    """The report as tables for a terminal."""
    rows = [
        [
            peer,
            f"{row['median_seconds_per_epoch']:.2f}",
            f"{min(row['seconds_per_epoch']):.2f}-{max(row['seconds_per_epoch']):.2f}",
            f"{row['images_per_second']:,.0f}",
            "-" if row["times_ours"] is None else f"{row['times_ours']:.2f}",
        ]
        for peer, row in report["peers"].items()
    ]
    peers = table.render(["training", "s/epoch", "range", "images/s", "times ours"], rows)
    return "\n".join([machine.line(report["machine"]), "", peers, "", targets.render(report["targets"])])
