"""Train for each goal: is its accuracy reached within its seconds of training?

    python -m benchmarks accuracy [--quick] [--seeds 0 1 2 3 4]
    python -m benchmarks accuracy --device gpu

Seconds are those of training only, accuracy is that of the test split. On the CPU compilation is included.
On a GPU they count from when the images are in its memory and the steps are compiled; what that took is
beside them. airbench (arXiv:2404.00498) counts alike, but whitening, augmentation and the test too, which
other stages do here or which come before.
"""

import itertools
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ruamel.yaml import YAML

from benchmarks import machine, options, recipes, runs, scratch, table
from benchmarks.suites import tutorials

FOLDER = Path("reports/benchmarks")
RESULTS = {"cpu": FOLDER / "accuracy.json", "gpu": FOLDER / "gpu/accuracy.json"}
SEEDS = {"cpu": range(5), "gpu": range(10)}
QUICK = 90  # seconds; goals up to here are tried by --quick


class Goal(NamedTuple):
    """An accuracy to reach, and how."""

    problem: str
    reach: float  # test accuracy
    within: float  # seconds
    recipe: recipes.Recipe

    @property
    def device(self) -> str:
        """The device on which it is tried."""
        return self.recipe.overrides.get("train.device", "cpu")

    def met(self, tried: Sequence[runs.Run]) -> bool:
        """True if the means reach the accuracy in time."""
        enough = statistics.fmean(run.accuracy for run in tried) >= self.reach
        return enough and statistics.fmean(run.training_seconds for run in tried) <= self.within


GOALS = [
    Goal(row["problem"], row["reach"], row["within"], recipes.Recipe(row["config"], row["overrides"]))
    for row in YAML(typ="safe").load(Path(__file__).with_suffix(".yaml"))
]
Outcome = tuple[Goal, list[runs.Run]]


def main(words: Sequence[str]) -> None:
    """Run the benchmark. Exits with status 1 if a goal is not met."""
    parser = options.parser("accuracy", __doc__, range(5))
    parser.set_defaults(seeds=None)
    parser.add_argument("--device", choices=SEEDS, default="cpu", help="whose goals to try")
    parser.add_argument("--quick", action="store_true", help=f"one seed, goals up to {QUICK} s")
    chosen = parser.parse_args(words)
    goals = [goal for goal in GOALS if goal.device == chosen.device]
    seeds = chosen.seeds or SEEDS[chosen.device]
    if chosen.quick:
        seeds, goals = seeds[:1], [goal for goal in goals if goal.within <= QUICK]
    results, others = RESULTS[chosen.device], [tutorials.RESULTS]
    with scratch.copy(Path(), scratch.folder(), chosen.device) as copy:
        for goal, seed in itertools.product(goals, seeds):
            runs.measure(copy, goal.recipe, seed, results, chosen.again, others=others)
    tried = outcomes(runs.read(results), goals)
    print(machine.line(machine.describe(chosen.device)), render(tried), sep="\n\n")
    sys.exit(0 if all(goal.met(found) for goal, found in tried) else 1)


def outcomes(measured: Sequence[runs.Run], goals: Sequence[Goal] = GOALS) -> list[Outcome]:
    """The goals that have been tried, each with its runs."""
    return [(goal, found) for goal in goals if (found := runs.select(measured, goal.recipe))]


def render(outcomes: Sequence[Outcome]) -> str:
    """Lay out what was wanted and what was reached, as mean ± sd over n seeds."""
    head = ["problem", "accuracy", "reached", "seconds", "taken", "prepared", "n", "", "how"]
    return table.render(head, [_row(*outcome) for outcome in outcomes])


def _row(goal: Goal, tried: Sequence[runs.Run]) -> list[str]:
    return [
        goal.problem,
        f"{goal.reach:.4f}",
        runs.spread(run.accuracy for run in tried),
        f"{goal.within:.0f}",
        runs.spread((run.training_seconds for run in tried), 1 if goal.device == "cpu" else 2),
        runs.spread((run.preparation_seconds for run in tried), 1) if goal.device == "gpu" else "-",
        str(len(tried)),
        "met" if goal.met(tried) else "MISSED",
        str(goal.recipe),
    ]
