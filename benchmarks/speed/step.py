"""Measure a training step beside Keras and PyTorch, which train the same network.

    python -m benchmarks step                          # five rounds of an epoch each
    python -m benchmarks step --rounds 3 --steps 20    # a rough look

The network is the three-block CNN of configs/cifar10-three-classes.yaml (289,443 parameters) with Adam
and batches of 128, on the CPU. The peers, of benchmarks/speed/peers/, take turns, round by round.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks import machine, options, table
from benchmarks.speed import images, race, targets
from stages.layers import processor
from stages.running import errors

EPOCH = 15_000  # images
# How many times as fast as the tutorial's code and as the faster PyTorch, by instruction set.
AIMS = {"amx": (3.5, 1.6)}
AIMS_ELSEWHERE = (1.55, 1.1)


def main(words: Sequence[str]) -> None:
    """Run the benchmark."""
    parser = options.parser("step", __doc__)
    parser.add_argument("--rounds", type=int, default=5, help="after one to warm up")
    parser.add_argument("--steps", type=int, help="per round, instead of an epoch's 118")
    parser.add_argument("--output", type=Path, default=Path("reports/benchmarks/step.json"))
    chosen = race.parse(parser, words)
    if chosen.rounds < 1 or (chosen.steps is not None and chosen.steps < 1):
        received = f"{chosen.rounds} of {chosen.steps}"
        raise errors.BadInput(f"expected at least one round of one step, received {received}")
    count = chosen.steps * race.BATCH_SIZE if chosen.steps else EPOCH
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        images.write(Path(folder) / "subset", count)
        raced = race.run(chosen.peers, Path(folder) / "subset", 1 + chosen.rounds)
    seconds = {peer: row["seconds"][1:] for peer, row in raced.items()}
    report = summarize(seconds, count)
    machine.publish(chosen.output, render(report), report)


def summarize(seconds: dict[str, list[float]], count: int) -> dict[str, Any]:
    """Medians, rates and ratios from the seconds of every round over `count` images."""
    per_epoch = pd.DataFrame(seconds) * EPOCH / count
    medians = per_epoch.median()
    times_ours = (medians / medians.get("ours", float("nan"))).dropna().to_dict()
    pytorch = min((times for peer, times in times_ours.items() if peer.startswith("pytorch")), default=None)
    whose = {"the tutorial's code": times_ours.get("keras_tutorial"), "the faster PyTorch": pytorch}
    aims = AIMS.get(processor.instruction_set(), AIMS_ELSEWHERE)
    aimed = [
        targets.Target(f"as fast as {code}", times, "at least", bound, "times")
        for (code, times), bound in zip(whose.items(), aims, strict=True)
    ]
    rows = {
        peer: {
            "images_per_second": EPOCH / medians[peer],
            "median_seconds_per_epoch": medians[peer],
            "seconds_per_epoch": list(rounds),
            "times_ours": times_ours.get(peer),
        }
        for peer, rounds in per_epoch.items()
    }
    return {
        "batch_size": race.BATCH_SIZE,
        "images_per_epoch": EPOCH,
        "images_per_round": count,
        "peers": rows,
        "targets": [each.as_json() for each in aimed],
    }


def render(report: dict[str, Any]) -> str:
    """The report as tables for a terminal."""
    rows = []
    for peer, row in report["peers"].items():
        seconds, times = row["seconds_per_epoch"], row["times_ours"]
        spread = [f"{row['median_seconds_per_epoch']:.2f}", f"{min(seconds):.2f}-{max(seconds):.2f}"]
        rate = f"{row['images_per_second']:,.0f}"
        rows.append([peer, *spread, rate, "-" if times is None else f"{times:.2f}"])
    peers = table.render(["training", "s/epoch", "range", "images/s", "times ours"], rows)
    return f"{peers}\n\n{targets.render(report['targets'])}"
