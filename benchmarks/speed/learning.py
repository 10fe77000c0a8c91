"""Train the same network in each framework: do they learn equally well, and how long do they take?

    python -m benchmarks learning [--epochs 10]

The network and the peers are those of the benchmark step, the images CIFAR-10's airplanes, automobiles and
birds, all 15,000 of them. Peers take turns, epoch by epoch, and are tested once, after their last.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import machine, options, recipes, scratch, table
from benchmarks.speed import race
from stages.running import errors

RESULTS = Path("reports/benchmarks/learning.json")
EPOCHS = 10  # the tutorial's
ALL_IMAGES = recipes.Recipe(race.CONFIG.stem, {"subset.val_fraction": 0})


def main(words: Sequence[str]) -> None:
    """Run the benchmark."""
    parser = options.parser("learning", __doc__)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    chosen = race.parse(parser, words)
    if chosen.epochs < 1:
        raise errors.BadInput(f"expected at least one epoch, received {chosen.epochs}")
    with scratch.copy(Path(), scratch.folder()) as copy:
        copy.write_params(ALL_IMAGES.params(copy.tree))
        copy.dvc("repro", "subset")
        raced = race.run(chosen.peers, copy.tree / "data/subset", chosen.epochs, copy.tree / "params.yaml")
    machine.publish(RESULTS, render(raced), {"peers": raced})


def render(raced: dict[str, dict[str, Any]]) -> str:
    """A row for each peer."""
    rows = []
    for peer, row in raced.items():
        losses = " ".join(f"{loss:.3f}" for loss in row["losses"])
        rows.append([peer, f"{sum(row['seconds']):.1f}", f"{row['accuracy']:.4f}", losses])
    return table.render(["training", "seconds", "test accuracy", "training loss, epoch by epoch"], rows)
