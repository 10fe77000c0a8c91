"""Train the same network in each framework: do they learn equally well, and how long do they take?

    python -m benchmarks learning [--epochs 10]

The network and the peers are those of the benchmark step, the images CIFAR-10's airplanes, automobiles and
birds, all 15,000 of them. Peers take turns, epoch by epoch, and are tested once, after their last.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import machine, options, recipes, scratch, table
from benchmarks.speed import step
from stages.running import errors, outputs

RESULTS = Path("reports/benchmarks/learning.json")
EPOCHS = 10  # the tutorial's
ALL_IMAGES = {"subset.val_fraction": 0}


def main(words: Sequence[str]) -> None:
    """Run the benchmark."""
    parser = options.parser("learning", __doc__)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--peers", nargs="+", choices=step.PEERS, default=step.PEERS)
    chosen = parser.parse_args(words)
    if chosen.epochs < 1:
        raise errors.BadInput(f"expected at least one epoch, received {chosen.epochs}")
    step.require_torch(chosen.peers)
    with scratch.copy(Path(), scratch.folder()) as copy:
        copy.write_params(recipes.Recipe(step.CONFIG.stem, ALL_IMAGES).params(copy.tree))
        copy.dvc("repro", "subset")
        report = measure(chosen.peers, copy.tree / "data/subset", copy.tree / "params.yaml", chosen.epochs)
    outputs.write_json(RESULTS, report)
    print(render(report))


def measure(peers: Sequence[str], subset: Path, params: Path, epochs: int) -> dict[str, Any]:
    """Train every peer on a subset's training images: losses and seconds by epoch, test accuracy.

    Args:
        peers: Of step.PEERS.
        subset: The subset stage's folder, three classes of images of 32x32x3.
        params: A params file; its sections records and train are read, only for this project.
        epochs: How many.

    Raises:
        errors.BadInput: a process of theirs, or the records stage, ends.
    """
    with step.temporary_folder(params) as folder:
        (folder / "subset").symlink_to(subset.resolve())
        with step.started(peers, folder) as workers:
            measured = step.take_turns(workers, epochs)
            accuracies = {each.name: each.test() for each in workers}
    rows = {
        peer: {
            "accuracy": accuracies[peer],
            "losses": [each["loss"] for each in turns],
            "seconds": [each["seconds"] for each in turns],
        }
        for peer, turns in measured.items()
    }
    return {"machine": machine.describe(), "peers": rows}


def read(results: Path) -> dict[str, Any]:
    """The report in a file; empty if there is no file."""
    return outputs.read_json(results) if results.is_file() else {}


def render(report: dict[str, Any]) -> str:
    """The report as a table for a terminal."""
    rows = [
        [
            peer,
            f"{sum(row['seconds']):.1f}",
            f"{row['accuracy']:.4f}",
            " ".join(f"{loss:.3f}" for loss in row["losses"]),
        ]
        for peer, row in report["peers"].items()
    ]
    head = ["training", "seconds", "test accuracy", "training loss, epoch by epoch"]
    return "\n".join([machine.line(report["machine"]), "", table.render(head, rows)])
