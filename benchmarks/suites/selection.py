"""Choose weights on ten validation images: is the kept model as good as the last one?

    python -m benchmarks selection [--seeds 0 1 2 3 4] [--fraction 0.01] [--config digits] [--page]

Each training keeps the weights after every epoch and tests them on the test split. The table has three
choices: the epoch that the train stage keeps, the best validation accuracy alone, and the last epoch; and
McNemar's test of the kept one against the last.
"""

import argparse
import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from benchmarks import machine, options, recipes, scratch, table
from benchmarks.speed.peers import ours
from benchmarks.suites import templates
from stages.inputs import tfrecord
from stages.reporting import markdown
from stages.review import comparison
from stages.training import execution, kernel_penalty, loop, phases, stepping

MARKER = "selection"
BATCH = 500  # images of a test
HEADERS = [
    "seed",
    "validation images",
    "kept epoch",
    "kept",
    "best epoch",
    "best",
    "last",
    "kept against last",
]


class Chosen(NamedTuple):
    """A training, and the test accuracies of the epochs that one could keep."""

    seed: int
    validation_images: int
    kept_epoch: int  # counted from 1
    kept: float
    best_epoch: int  # by the validation accuracy, of equal ones by the loss
    best: float
    last: float
    p: float  # of McNemar's test of the kept epoch against the last one


def main(words: Sequence[str]) -> None:
    """Run the benchmark."""
    parser = options.parser("selection", __doc__, range(5))
    parser.add_argument(
        "--fraction", type=float, default=0.01, help="subset.val_fraction: of the digits, ten images"
    )
    parser.add_argument("--config", default="digits", help="a file of configs/")
    parser.add_argument("--output", type=Path, default=Path("reports/benchmarks/selection.json"))
    parser.add_argument("--page", action="store_true", help=f"renew the table in {templates.PAGE} as well")
    chosen = parser.parse_args(words)
    with scratch.copy(Path(), scratch.folder()) as copy:
        runs = [attempt(copy, seed, chosen) for seed in chosen.seeds]
    report = {"config": chosen.config, "runs": [run._asdict() for run in runs]}
    machine.publish(chosen.output, table.render(HEADERS, rows(runs)), report)
    if chosen.page:
        templates.renew(MARKER, markdown.cut(HEADERS, rows(runs)))


def attempt(copy: scratch.Scratch, seed: int, chosen: argparse.Namespace) -> Chosen:
    """Train with a seed, which chooses the validation images, too."""
    data = copy.tree / "data"
    params = recipes.Recipe(chosen.config).params(copy.tree)
    params["train"]["seed"] = params["subset"]["seed"] = seed
    params["subset"]["val_fraction"] = chosen.fraction
    copy.write_params(params)
    copy.dvc("repro", "subset")
    shutil.copyfile(copy.tree / "params.yaml", data / "params.yaml")
    keras.utils.clear_session()
    return train(ours.assemble(data, "records"), data / "records", seed)


def train(made: ours.Assembled, records: Path, seed: int) -> Chosen:
    """Train as the train stage does, and test the weights after each epoch."""
    params, network = made.params, made.network
    models, penalty = (
        (made.classifier.logits, made.classifier.tested),
        kernel_penalty.Penalty(params.l1, params.l2),
    )

    def make(variables: list[keras.Variable], optimizer: keras.optimizers.Optimizer) -> stepping.Trainer:
        return stepping.Trainer(*models, variables, optimizer, params.label_smoothing, penalty, jit=False)

    images, epochs = made.split.manifest.count, params.epochs
    steps = math.ceil(images / params.batch_size)
    settings = params.optimizer, params.schedule, params.fine_tuning, epochs, steps, made.precision
    trainers = phases.build(make, network, *settings, average=params.average)
    validation, test = (tfrecord.Split(records / name) for name in ("val", "test"))
    right: list[np.ndarray] = []

    def keep(state: loop.State) -> None:
        trainer = trainers[state.epoch - 1]
        with trainer.averaged():
            right.append(trainer.test(test.batches(BATCH))[1].right == 1)

    fitted = loop.fit(
        trainers,
        execution.streamed(made.split, params.batch_size, range(epochs), params.seed),
        images,
        execution.streamed(validation, BATCH, [0] * epochs),
        loop.Choice(params.select, params.patience),
        keep=keep,
    )
    found = [(row["val_accuracy"], -row["val_loss"]) for row in fitted.history]
    best = found.index(max(found)) + 1
    kept = right[fitted.kept_epoch - 1]
    of_kept, of_best, of_last = (float(each.mean()) for each in (kept, right[best - 1], right[-1]))
    p = comparison.paired(right[-1], kept).p
    return Chosen(seed, validation.manifest.count, fitted.kept_epoch, of_kept, best, of_best, of_last, p)


def rows(runs: Sequence[Chosen]) -> list[list[str]]:
    """A row per training, and one of means."""
    found = [
        [
            str(run.seed),
            str(run.validation_images),
            str(run.kept_epoch),
            f"{run.kept:.4f}",
            str(run.best_epoch),
            f"{run.best:.4f}",
            f"{run.last:.4f}",
            f"p {run.p:.2f}",
        ]
        for run in runs
    ]
    kept, best, last = (np.mean([getattr(run, name) for run in runs]) for name in ("kept", "best", "last"))
    return [*found, ["mean", "", "", f"{kept:.4f}", "", f"{best:.4f}", f"{last:.4f}", ""]]
