"""Train with one part of the fast recipe left out at a time: what does each contribute?

    python -m benchmarks ablation [--seeds 0 1 2]
    python -m benchmarks ablation --parts "the weights as they are, for their average" \
        --output reports/benchmarks/avx2/ablation.json

Ten classes of CIFAR-10, a short training; accuracy is that of a validation split of 10,000 images, since
a choice may follow from it. Rows are compared on one machine only: parts that another machine trains go to
a file of results of its own, with the whole recipe, and to a table of their own.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from benchmarks import machine, options, recipes, runs, scratch, table
from benchmarks.suites import templates
from stages.reporting import markdown

FOLDER = Path("reports/benchmarks")
RESULTS = FOLDER / "ablation.json"
PAGE = FOLDER / "ablation.md"
_ROWS = YAML(typ="safe").load(Path(__file__).with_suffix(".yaml"))
SHORT: dict[str, Any] = _ROWS["short"]
WHOLE = recipes.Recipe(_ROWS["config"], SHORT)
PARTS = {  # what is left out: how
    name: recipes.Recipe(_ROWS["config"], SHORT | changes) for name, changes in _ROWS["parts"].items()
}
HEADERS = ["without", "validation accuracy", "points", "s/epoch", "n"]


def main(words: Sequence[str]) -> None:
    """Run the benchmark."""
    parser = options.parser("ablation", __doc__, range(3))
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=list(PARTS), metavar="PART")
    parser.add_argument("--output", type=Path, default=RESULTS)
    chosen = parser.parse_args(words)
    with scratch.copy(Path(), scratch.folder()) as copy:
        for seed in chosen.seeds:  # a whole table after each
            for part in dict.fromkeys(["nothing", *chosen.parts]):
                runs.measure(copy, PARTS[part], seed, chosen.output, chosen.again)
            templates.write(PAGE, page(list(filter(None, map(runs.read, files())))))
    print(machine.line(machine.describe()), table.render(HEADERS, rows(runs.read(chosen.output))), sep="\n\n")


def files() -> list[Path]:
    """The files of results, of which each machine has one."""
    return [RESULTS, *sorted(FOLDER.glob("*/ablation.json"))]


def page(machines: Sequence[Sequence[runs.Run]]) -> str:
    """A table in Markdown of what each machine has measured, with what it says and the machine.

    Args:
        machines: The runs of each machine; those of the first one come first.
    """
    return templates.render(
        "ablation.md.j2",
        config=WHOLE.config,
        short=", ".join(f"{key.rpartition('.')[-1]} {value}" for key, value in SHORT.items()),
        tables=[
            (markdown.cut(HEADERS, rows(measured)), runs.select(measured, WHOLE)[0].environment)
            for measured in machines
        ],
    )


def rows(measured: Sequence[runs.Run]) -> list[list[str]]:
    """A row per part that has been measured: accuracy without it, what that changes in percentage points,
    and the seconds of an epoch."""
    whole = {run.seed: run.val_accuracy for run in runs.select(measured, WHOLE)}
    by_name = {name: runs.select(measured, recipe.effective()) for name, recipe in PARTS.items()}
    return [_row(name, found, whole) for name, found in by_name.items() if found]


def _row(name: str, found: Sequence[runs.Run], whole: Mapping[int, float | None]) -> list[str]:
    points = [100 * ((run.val_accuracy or math.nan) - (whole.get(run.seed) or math.nan)) for run in found]
    accuracy = runs.spread(run.val_accuracy for run in found)
    seconds = runs.spread((run.seconds_per_epoch for run in found), 1)
    return [name, accuracy, runs.spread(points, 2), seconds, str(len(found))]
