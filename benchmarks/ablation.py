"""What each part of the fast recipe buys: the same training with one part at a time left out.

    python -m benchmarks.ablation [--seeds 0 1 2]

Ten classes of CIFAR-10, a short training; accuracy is that of the validation split, since a choice may
follow from it.
"""

import argparse
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import runs, scratch, table
from stages.reporting import markdown
from stages.running import errors, outputs

RESULTS = Path("reports/benchmarks/ablation.json")
CONFIG = "cifar10-best"
SHORT = {"train.epochs": 4, "train.model.widths": [64, 128, 128]}
TRANSLATION = {"translate": {"pixels": 2}}
PARTS: dict[str, dict[str, Any]] = {  # what is left out: how
    "nothing": {},
    "whitening of the first layer": {"train.model.whiten": False},
    "bias of 0 after it, for a learnt one": {"train.model.whitening_bias": True},
    "identity start": {"train.model.identity": False},
    "biases' faster rate": {"train.optimizer.bias_scale": 1.0},
    "label smoothing": {"train.label_smoothing": 0.0},
    "alternation of flips": {"records.augment": [{"flip_horizontal": {"probability": 0.5}}, TRANSLATION]},
    "translation": {"records.augment": [{"alternating_flip": {}}]},
    "full rate from the first step": {"train.schedule.warmup_epochs": 1.0},
    "other looks at test images": {"train.test_time_views": 1},
    "ReLU, for SiLU": {"train.model.activation": "silu"},
    "determinism": {"train.deterministic": False},
    "bfloat16": {"train.precision": "float32"},
}


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ablation", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="values of train.seed")
    parser.add_argument("--again", action="store_true", help="train what has been trained before too")
    chosen = parser.parse_args(arguments)
    try:
        with scratch.copy(Path(), scratch.folder()) as copy:
            for part in PARTS.values():
                found = runs.measure(copy, CONFIG, {**SHORT, **part}, chosen.seeds, RESULTS, chosen.again)
                machine = {"machine": found[-1].environment}
                outputs.write_json(RESULTS, outputs.read_json(RESULTS) | machine)
    except errors.BadInput as error:
        sys.exit(f"ablation: error: {error}")
    except KeyboardInterrupt:
        sys.exit(f"ablation: stopped; the runs that finished stand in {RESULTS}")
    print(render(runs.read(RESULTS)))


def render(measured: Sequence[runs.Run]) -> str:
    """A row per part that has been measured: accuracy without it, what that loses in percentage points,
    and the seconds of an epoch."""
    whole = runs.select(measured, CONFIG, SHORT)
    rows = []
    for name, part in PARTS.items():
        if found := runs.select(measured, CONFIG, {**SHORT, **part}):
            change = _mean(found) - _mean(whole) if whole else float("nan")
            rows.append(
                [
                    name,
                    runs.spread(_accuracies(found)),
                    markdown.points(change),
                    runs.spread([run.seconds_per_epoch for run in found], 1),
                    str(len(found)),
                ]
            )
    return table.render(["without", "validation accuracy", "points", "s/epoch", "n"], rows)


def _accuracies(found: Sequence[runs.Run]) -> list[float]:
    return [run.val_accuracy for run in found if run.val_accuracy is not None]


def _mean(found: Sequence[runs.Run]) -> float:
    return statistics.fmean(_accuracies(found))


if __name__ == "__main__":
    main()
