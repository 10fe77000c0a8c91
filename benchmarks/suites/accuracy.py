"""Time to accuracy: is each target's accuracy reached within its seconds of training?

    python -m benchmarks accuracy [--quick] [--seeds 0 1 2 3 4]
    python -m benchmarks accuracy --device gpu

Seconds are those of training alone, accuracy is that of the test split. On the CPU compilation is included.
On a GPU they count from when the images stand in its memory and the steps are compiled; what that took stands
beside them. airbench (arXiv:2404.00498) counts alike, but whitening, augmentation and the test too, which
other stages do here or which come before.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import machine, runs, scratch, table
from benchmarks.suites import tutorials
from stages.running import errors, outputs

RESULTS = Path("reports/benchmarks/accuracy.json")
GPU_RESULTS = Path("reports/benchmarks/gpu/accuracy.json")
QUICK = 90  # seconds; targets up to here are tried by --quick


class Target(NamedTuple):
    """An accuracy to reach, and how."""

    problem: str
    reach: float  # test accuracy
    within: float  # seconds
    config: str
    overrides: dict[str, Any]

    @property
    def device(self) -> str:
        """On which it is tried."""
        return self.overrides.get("train.device", "cpu")


THREE, TEN, FASHION = "CIFAR-10, three classes", "CIFAR-10", "Fashion-MNIST"
# Determinism keeps XLA from trying which of a convolution's algorithms is quickest.
ON_A_GPU = {"subset.val_fraction": 0, "train.device": "gpu", "train.deterministic": False}
# Choices were made on validation images. Where val_fraction is 0 all images train and the last weights
# stay: six looks at 2 % of the images after each epoch are 4 % of its arithmetic. Fashion-MNIST's limit
# leaves out 12 % of the images for the sake of its seconds.
TARGETS = [
    Target(
        THREE,
        0.883,
        12,
        "cifar10-three-classes-best",
        {"records.views": 1, "train.epochs": 1, "train.model.widths": [32, 64, 64]},
    ),
    Target(THREE, 0.975, 90, "cifar10-three-classes-fast", {}),
    Target(THREE, 0.975, 185, "cifar10-three-classes-fast", {}),  # on a processor with no more than AVX2
    Target(
        THREE,
        0.98,
        120,
        "cifar10-three-classes-fast",
        {
            "subset.val_fraction": 0,
            "records.views": 10,
            "train.epochs": 10,
            "train.model.widths": [64, 192, 192],
        },
    ),
    Target(
        TEN,
        0.6709,
        20,
        "cifar10-best",
        {
            "subset.limit_per_class": 3000,
            "records.views": 1,
            "train.epochs": 1,
            "train.model.widths": [32, 64, 64],
            "train.model.activation": "relu",
        },
    ),
    Target(
        TEN,
        0.90,
        120,
        "cifar10-best",
        {
            "records.views": 4,
            "train.epochs": 4,
            "train.model.widths": [32, 128, 128],
            "train.model.activation": "relu",
        },
    ),
    Target(TEN, 0.94, 360, "cifar10-best", {"subset.val_fraction": 0}),
    Target(
        FASHION,
        0.94,
        150,
        "fashion-mnist-best",
        {
            "subset.limit_per_class": 5300,
            "subset.val_fraction": 0,
            "records.views": 4,
            "train.model.whitening_bias": True,
            "train.optimizer.learning_rate": 0.12,
            "train.optimizer.bias_scale": 600.0,
            "train.optimizer.head_scale": 9.0,
            "train.schedule.warmup_epochs": 0.0,
            "train.epochs": 4,
            "train.test_time_views": 6,
        },
    ),
    # Of 10,000 validation images batches of 1,000 at this rate got 0.9361 right, the params file's 0.9362.
    Target(
        TEN,
        0.94,
        2,
        "cifar10-best",
        {"train.batch_size": 1000, "train.optimizer.learning_rate": 0.17, **ON_A_GPU},
    ),
    Target(TEN, 0.96, 25, "cifar10-large", ON_A_GPU),
]
SEEDS = {"cpu": range(5), "gpu": range(10)}


class Outcome(NamedTuple):
    """What the runs for one target gave, by seed: accuracies, seconds of training and of preparation."""

    target: Target
    accuracies: list[float]
    seconds: list[float]
    preparation: Sequence[float] = ()

    @property
    def met(self) -> bool:
        """Whether the means reach the accuracy in time."""
        enough = statistics.fmean(self.accuracies) >= self.target.reach
        return enough and statistics.fmean(self.seconds) <= self.target.within


def main(arguments: Sequence[str] | None = None) -> None:
    """The command. Exits with status 1 if a target is not met."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks accuracy", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--device", choices=SEEDS, default="cpu", help="whose targets to try")
    parser.add_argument("--seeds", nargs="+", type=int, help="values of train.seed: 5 of them, 10 on a GPU")
    parser.add_argument("--quick", action="store_true", help=f"one seed, targets up to {QUICK} s")
    parser.add_argument("--again", action="store_true", help="train what has been trained before too")
    chosen = parser.parse_args(arguments)
    seeds = chosen.seeds or list(SEEDS[chosen.device])
    targets = [target for target in TARGETS if target.device == chosen.device]
    results = GPU_RESULTS if chosen.device == "gpu" else RESULTS
    if chosen.quick:
        seeds, targets = seeds[:1], [target for target in targets if target.within <= QUICK]
    try:
        with scratch.copy(Path(), scratch.folder(), chosen.device) as copy:
            outcomes = [
                measure(copy, target, seeds, results, chosen.again, [tutorials.RESULTS]) for target in targets
            ]
    except errors.BadInput as error:
        sys.exit(f"accuracy: error: {error}")
    except KeyboardInterrupt:
        sys.exit(f"accuracy: stopped; the runs that finished stand in {results}")
    print(machine.line(machine.describe(chosen.device)), render(outcomes), sep="\n\n")
    for target in TARGETS:
        if target.device == chosen.device and target not in targets:
            print(f"not tried: {target.problem}, {target.reach:.4f} within {target.within:.0f} s")
    sys.exit(0 if all(outcome.met for outcome in outcomes) else 1)


def measure(
    copy: scratch.Scratch,
    target: Target,
    seeds: Sequence[int],
    results: Path,
    again: bool = False,
    others: Sequence[Path] = (),
) -> Outcome:
    """Train for one target; its outcome, of these seeds and of others that this machine has trained with
    the same code and params, goes to `results` beside the runs. What is of no target any more goes."""
    first, *_ = runs.measure(copy, target.config, target.overrides, seeds, results, again, others=others)
    found = runs.select(runs.read(results), target.config, first.overrides)
    outcome = Outcome(
        target,
        [run.accuracy for run in found],
        [run.training_seconds for run in found],
        [run.preparation_seconds for run in found],
    )
    document = outputs.read_json(results)
    document["machine"] = found[-1].environment
    document["targets"] = _merged(document.get("targets", []), outcome)
    ways = [(each.config, runs.effective(copy.tree, each.config, each.overrides)) for each in TARGETS]
    document["runs"] = [run for run in document["runs"] if (run["config"], run["overrides"]) in ways]
    outputs.write_json(results, document)
    return outcome


def read(results: Path) -> list[Outcome]:
    """The outcomes in a file of results, in the order of TARGETS; none if there is no file.

    Raises:
        errors.BadInput: the file does not hold outcomes.
    """
    if not results.is_file():
        return []
    try:
        return [
            Outcome(_target(each), each["accuracies"], each["seconds"], each.get("preparation", ()))
            for each in json.loads(results.read_text(encoding="utf-8")).get("targets", [])
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise errors.BadInput(
            f"{results}: expected the outcomes of benchmarks.accuracy: {error!r}"
        ) from error


def render(outcomes: Sequence[Outcome]) -> str:
    """Aligned text: what was wanted and what was reached, as mean ± sd over n seeds."""
    rows = []
    for outcome in outcomes:
        target, accuracies, seconds, preparation = outcome
        how = ", ".join([target.config, *(f"{key}={value}" for key, value in target.overrides.items())])
        rows.append(
            [
                target.problem,
                f"{target.reach:.4f}",
                runs.spread(accuracies),
                f"{target.within:.0f}",
                runs.spread(seconds, 1 if target.device == "cpu" else 2),
                runs.spread(preparation, 1) if any(preparation) else "-",
                str(len(seconds)),
                "met" if outcome.met else "MISSED",
                how,
            ]
        )
    head = ["problem", "accuracy", "reached", "seconds", "taken", "prepared", "n", "", "how"]
    return table.render(head, rows)


def _merged(earlier: list[dict], outcome: Outcome) -> list[dict]:
    """This outcome among those of the other targets that still are targets, in their order."""
    new = {
        **outcome.target._asdict(),
        "accuracies": outcome.accuracies,
        "seconds": outcome.seconds,
        "preparation": outcome.preparation,
        "met": outcome.met,
    }
    kept = [new, *(each for each in earlier if _target(each) != outcome.target)]
    return [each for target in TARGETS for each in kept if _target(each) == target]


def _target(row: dict[str, Any]) -> Target:
    """The target of a row of the file."""
    return Target(**{field: row[field] for field in Target._fields})


if __name__ == "__main__":
    main()
