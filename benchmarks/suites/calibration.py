"""How true are probabilities, before and after calibration, with each params file of configs/?

    python -m benchmarks calibration [NAME ...] [--seeds 0] [--page]

A name is a file of configs/ without .yaml. Without names all files run whose dataset is published and whose
validation split has at least 500 images: one temperature cannot be fitted well to fewer. The log loss and the
expected calibration error are those of the test split.
"""

import itertools
from collections.abc import Sequence
from pathlib import Path

from benchmarks import machine, options, recipes, runs, scratch, table
from benchmarks.suites import templates
from stages.reporting import markdown

RESULTS = Path("reports/benchmarks/calibration.json")
MARKER = "calibration"
CONFIGS = [
    "cifar10-three-classes-fast",
    "cifar10-three-classes",
    "cifar10-three-classes-tuned",
    "cifar10-three-classes-best",
    "fashion-mnist-dense",
    "fashion-mnist",
    "fashion-mnist-tuned",
    "fashion-mnist-best",
    "cifar10",
    "cifar10-tuned",
    "cifar10-best",
    "cifar10-large",
]
HEADERS = ["params file", "log loss before", "after", "calibration error before", "after", "n"]


def main(words: Sequence[str]) -> None:
    """Run the benchmark."""
    parser = options.parser("calibration", __doc__, range(1))
    parser.add_argument("names", nargs="*", metavar="NAME", default=CONFIGS)
    parser.add_argument("--page", action="store_true", help=f"renew the table in {templates.PAGE} as well")
    chosen = parser.parse_args(words)
    with scratch.copy(Path(), scratch.folder()) as copy:
        for name, seed in itertools.product(chosen.names, chosen.seeds):
            runs.measure(copy, recipes.Recipe(name), seed, RESULTS, chosen.again)
    found = rows(runs.read(RESULTS))
    print(machine.line(machine.describe()), table.render(HEADERS, found), sep="\n\n")
    if chosen.page:
        templates.renew(MARKER, markdown.cut(HEADERS, found))


def rows(measured: Sequence[runs.Run]) -> list[list[str]]:
    """A row per params file that has been trained: what its probabilities were and are, mean ± sd."""
    by_config = {config: runs.select(measured, recipes.Recipe(config)) for config in CONFIGS}
    return [_row(config, found) for config, found in by_config.items() if found]


def _row(config: str, found: Sequence[runs.Run]) -> list[str]:
    cells = [
        runs.spread(each.metrics[when][name] if when else each.metrics[name] for each in found)
        for name in ("loss", "calibration_error")
        for when in ("uncalibrated", "")
    ]
    return [f"`{config}`", *cells, str(len(found))]
