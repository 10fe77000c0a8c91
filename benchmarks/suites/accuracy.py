"""Train for each goal: is its accuracy reached within its seconds of training?

    python -m benchmarks accuracy [--quick] [--seeds 0 1 2 3 4]
    python -m benchmarks accuracy --device gpu

Seconds are those of training only, accuracy is that of the test split. On the CPU compilation is included.
On a GPU they count from when the images are in its memory and the steps are compiled; what that took is
beside them. airbench (arXiv:2404.00498) counts alike, but whitening, augmentation and the test too, which
other stages do here or which come before.
"""

import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML

from benchmarks import machine, options, runs, scratch, table
from benchmarks.suites import tutorials

RESULTS = Path("reports/benchmarks/accuracy.json")
GPU_RESULTS = Path("reports/benchmarks/gpu/accuracy.json")
QUICK = 90  # seconds; goals up to here are tried by --quick


class Goal(NamedTuple):
    """An accuracy to reach, and how."""

    problem: str
    reach: float  # test accuracy
    within: float  # seconds
    config: str
    overrides: dict[str, Any]

    @property
    def device(self) -> str:
        """The device on which it is tried."""
        return self.overrides.get("train.device", "cpu")


THREE, TEN, FASHION = "CIFAR-10, three classes", "CIFAR-10", "Fashion-MNIST"
GOALS = [Goal(**row) for row in YAML(typ="safe").load(Path(__file__).with_suffix(".yaml"))]
SEEDS = {"cpu": range(5), "gpu": range(10)}


class Outcome(NamedTuple):
    """A goal and the runs for it."""

    goal: Goal
    runs: list[runs.Run]

    @property
    def accuracies(self) -> list[float]:
        """Test accuracy by seed."""
        return [run.accuracy for run in self.runs]

    @property
    def seconds(self) -> list[float]:
        """Seconds of training by seed."""
        return [run.training_seconds for run in self.runs]

    @property
    def met(self) -> bool:
        """True if the means reach the accuracy in time."""
        enough = statistics.fmean(self.accuracies) >= self.goal.reach
        return enough and statistics.fmean(self.seconds) <= self.goal.within


def main(words: Sequence[str]) -> None:
    """Run the benchmark. Exits with status 1 if a goal is not met."""
    parser = options.parser("accuracy", __doc__, range(5))
    parser.set_defaults(seeds=None)
    parser.add_argument("--device", choices=SEEDS, default="cpu", help="whose goals to try")
    parser.add_argument("--quick", action="store_true", help=f"one seed, goals up to {QUICK} s")
    chosen = parser.parse_args(words)
    seeds = chosen.seeds or list(SEEDS[chosen.device])
    goals = [goal for goal in GOALS if goal.device == chosen.device]
    results = GPU_RESULTS if chosen.device == "gpu" else RESULTS
    if chosen.quick:
        seeds, goals = seeds[:1], [goal for goal in goals if goal.within <= QUICK]
    with scratch.copy(Path(), scratch.folder(), chosen.device) as copy:
        for goal in goals:
            others = [tutorials.RESULTS]
            runs.measure(copy, goal.config, goal.overrides, seeds, results, chosen.again, others=others)
    outcomes = read(results, goals)
    print(machine.line(machine.describe(chosen.device)), render(outcomes), sep="\n\n")
    for goal in GOALS:
        if goal.device == chosen.device and goal not in goals:
            print(f"not tried: {goal.problem}, {goal.reach:.4f} within {goal.within:.0f} s")
    sys.exit(0 if all(outcome.met for outcome in outcomes) else 1)


def read(results: Path, goals: Sequence[Goal] = GOALS) -> list[Outcome]:
    """Read the outcomes of those goals that a file of results has runs for.

    Raises:
        errors.BadInput: the file does not hold runs.
    """
    measured, outcomes = runs.read(results), []
    for goal in goals if measured else ():
        overrides = runs.effective(Path(), goal.config, goal.overrides)
        if chosen := runs.select(measured, goal.config, overrides):
            outcomes.append(Outcome(goal, chosen))
    return outcomes


def render(outcomes: Sequence[Outcome]) -> str:
    """Lay out what was wanted and what was reached, as mean ± sd over n seeds."""
    head = ["problem", "accuracy", "reached", "seconds", "taken", "prepared", "n", "", "how"]
    return table.render(head, list(map(_row, outcomes)))


def _row(outcome: Outcome) -> list[str]:
    goal, preparation = outcome.goal, [run.preparation_seconds for run in outcome.runs]
    return [
        goal.problem,
        f"{goal.reach:.4f}",
        runs.spread(outcome.accuracies),
        f"{goal.within:.0f}",
        runs.spread(outcome.seconds, 1 if goal.device == "cpu" else 2),
        runs.spread(preparation, 1) if any(preparation) else "-",
        str(len(outcome.runs)),
        "met" if outcome.met else "MISSED",
        ", ".join([goal.config, *(f"{key}={value}" for key, value in goal.overrides.items())]),
    ]
