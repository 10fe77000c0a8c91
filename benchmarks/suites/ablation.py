"""Train with one part of the fast recipe left out at a time: what does each contribute?

    python -m benchmarks ablation [--seeds 0 1 2]

Ten classes of CIFAR-10, a short training; accuracy is that of a validation split of 10,000 images, since
a choice may follow from it.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from benchmarks import machine, options, runs, scratch, table
from stages.reporting import markdown
from stages.running import outputs

RESULTS = Path("reports/benchmarks/ablation.json")
PAGE = Path("reports/benchmarks/ablation.md")
_ROWS = YAML(typ="safe").load(Path(__file__).with_suffix(".yaml"))
CONFIG: str = _ROWS["config"]
SHORT: dict[str, Any] = _ROWS["short"]
PARTS: dict[str, dict[str, Any]] = _ROWS["parts"]  # what is left out: how
HEADERS = ["without", "validation accuracy", "points", "s/epoch", "n"]


def main(words: Sequence[str]) -> None:
    """Run the benchmark."""
    chosen = options.parser("ablation", __doc__, range(3)).parse_args(words)
    with scratch.copy(Path(), scratch.folder()) as copy:
        for seed in chosen.seeds:  # a whole table after each
            for part in PARTS.values():
                runs.measure(copy, CONFIG, {**SHORT, **part}, [seed], RESULTS, chosen.again)
            with outputs.file(PAGE) as partial:
                partial.write_text(page(runs.read(RESULTS)), encoding="utf-8")
    print(machine.line(machine.describe()), table.render(HEADERS, rows(runs.read(RESULTS))), sep="\n\n")


def page(measured: Sequence[runs.Run]) -> str:
    """The table in Markdown, with what it says and the machine."""
    made = runs.select(measured, CONFIG, SHORT)[0].environment
    shown = ", ".join(f"{key.rpartition('.')[-1]} {value}" for key, value in SHORT.items())
    parts = [
        "# What each part of the fast recipe buys",
        f"`{CONFIG}` shortened ({shown}), with one part at a time left out or put back to its plain form:"
        " accuracy on the validation images, how many percentage points that is from the whole recipe with"
        " the same seed, and the seconds of an epoch with its validation: mean ± sd over `train.seed`. Where"
        " n is 1, some tenths of a point are that seed's chance.",
        markdown.cut(HEADERS, rows(measured)),
        f"`python -m benchmarks ablation` on {made['processor']}, {made['cores']} cores, in"
        f" {made['precision']} but for the last row, TensorFlow {made['tensorflow']}.",
    ]
    return "\n\n".join(parts) + "\n"


def rows(measured: Sequence[runs.Run]) -> list[list[str]]:
    """A row per part that has been measured: accuracy without it, what that changes in percentage points,
    and the seconds of an epoch."""
    ways = {name: runs.effective(Path(), CONFIG, {**SHORT, **part}) for name, part in PARTS.items()}
    by_name = {name: runs.select(measured, CONFIG, way) for name, way in ways.items()}
    whole = {run.seed: run.val_accuracy for run in by_name["nothing"]}
    return [_row(name, found, whole) for name, found in by_name.items() if found]


def _row(name: str, found: Sequence[runs.Run], whole: Mapping[int, float | None]) -> list[str]:
    accuracies = {run.seed: run.val_accuracy for run in found if run.val_accuracy is not None}
    changes = [100 * (value - (whole.get(seed) or math.nan)) for seed, value in accuracies.items()]
    return [
        name,
        runs.spread(list(accuracies.values())),
        runs.spread(changes, 2),
        runs.spread([run.seconds_per_epoch for run in found], 1),
        str(len(found)),
    ]
