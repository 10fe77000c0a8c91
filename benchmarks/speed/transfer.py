"""Measure transfer learning: fine-tuning beside Keras, and the head beside the backbone in every epoch.

    python -m benchmarks transfer                                       # five rounds
    python -m benchmarks transfer --rounds 2 --steps 4 --head-epochs 5  # a rough look

The network is MobileNetV2 with random weights and three classes, with Adam and batches of 32 made-up images
of 96x96 pixels, on the CPU. The peers take turns, as in the benchmark `step`:

    ours                   fine-tuning of all layers, in the precision that is quick here
    transfer_keras         the same with Keras's `fit` in float32, as its guide to transfer learning writes it
    transfer_keras_frozen  the same with frozen batch normalizations: Keras 3 trains those of the guide by
                           the statistics of each batch, although the guide asks for inference mode
    head_once              some epochs of only the head, on features that are computed once
    head_always            the same with the backbone in every epoch
"""

import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from benchmarks import machine, options, table
from benchmarks.speed import images, race, targets
from stages.running import errors

FINE_TUNING = ["ours", "transfer_keras", "transfer_keras_frozen"]
HEAD = ["head_once", "head_always"]
CONFIG = Path("configs/cifar10.yaml")
SIZE = 96  # pixels
BATCH_SIZE = 32
TRAIN: dict[str, Any] = {
    "model": {
        "name": "transfer",
        "backbone": "MobileNetV2",
        "weights": "none",
        "image_size": SIZE,
        "dropout": 0.2,
    },
    "batch_size": BATCH_SIZE,
}
TIMES_KERAS, TIMES_ALWAYS = 1.5, 5.0  # how many times as fast fine-tuning and the head should be


def main(words: Sequence[str]) -> None:
    """Run the benchmark."""
    parser = options.parser("transfer", __doc__)
    parser.add_argument("--rounds", type=int, default=5, help="after one to warm up")
    parser.add_argument("--steps", type=int, default=32, help="of an epoch")
    parser.add_argument("--head-epochs", type=int, default=10, help="of a round of the head, with one view")
    parser.add_argument("--output", type=Path, default=Path("reports/benchmarks/transfer.json"))
    chosen = parser.parse_args(words)
    if min(chosen.rounds, chosen.steps, chosen.head_epochs) < 1:
        raise errors.BadInput("expected at least one round of one step, and one epoch of the head")
    seconds: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name)
        _write_params(folder / "params.yaml", chosen.head_epochs)
        images.write(folder / "subset", chosen.steps * BATCH_SIZE, shape=(SIZE, SIZE, 3))
        for peers in (FINE_TUNING, HEAD):
            raced = race.run(peers, folder / "subset", 1 + chosen.rounds, folder / "params.yaml")
            seconds |= {peer: row["seconds"][1:] for peer, row in raced.items()}
    report = summarize(seconds, chosen.steps, chosen.head_epochs)
    machine.publish(chosen.output, render(report), report)


def _write_params(path: Path, head_epochs: int) -> None:
    """Write a config, changed to transfer learning with one view and so many epochs."""
    yaml = YAML(typ="safe")
    document = yaml.load(CONFIG)
    document["records"] |= {"normalize": "none", "augment": [], "views": 1}
    document["train"] |= {**TRAIN, "epochs": head_epochs}
    document["train"]["optimizer"] |= {"name": "adam", "learning_rate": 1e-5}
    yaml.dump(document, path)


def summarize(seconds: dict[str, list[float]], steps: int, head_epochs: int) -> dict[str, Any]:
    """Medians and ratios from the seconds of every round, of an epoch or of all epochs of the head."""
    medians = {peer: statistics.median(rounds) for peer, rounds in seconds.items()}
    quick = {peer: "ours" if peer in FINE_TUNING else "head_once" for peer in seconds}
    rows: dict[str, dict[str, Any]] = {
        peer: {
            "images_per_epoch": steps * BATCH_SIZE,
            "median_seconds": medians[peer],
            "seconds": rounds,
            "times_quick": medians[peer] / medians[quick[peer]],
        }
        for peer, rounds in seconds.items()
    }
    aims = [
        ("fine-tuning as fast as Keras's fit", "transfer_keras", TIMES_KERAS),
        (f"{head_epochs} epochs of the head as fast as with the backbone", "head_always", TIMES_ALWAYS),
    ]
    reached = [
        targets.Target(what, rows[peer]["times_quick"], "at least", bound, "times")
        for what, peer, bound in aims
    ]
    return {
        "batch_size": BATCH_SIZE,
        "head_epochs": head_epochs,
        "peers": rows,
        "targets": [each.as_json() for each in reached],
    }


def render(report: dict[str, Any]) -> str:
    """The report as tables for a terminal."""
    rows = [
        [
            peer,
            f"{row['median_seconds']:.2f}",
            f"{min(row['seconds']):.2f}-{max(row['seconds']):.2f}",
            f"{row['times_quick']:.2f}",
        ]
        for peer, row in report["peers"].items()
    ]
    peers = table.render(["training", "s/round", "range", "times the quick one"], rows)
    return f"{peers}\n\n{targets.render(report['targets'])}"
