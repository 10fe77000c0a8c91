"""The head of a frozen backbone: all its epochs in a round, on features computed once, or in every epoch."""

import functools
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import keras
import numpy as np

from benchmarks.speed import race
from benchmarks.speed.peers import ours
from stages.training import execution, features, frozen, kernel_penalty, phases, stepping


def prepare(data: Path, is_once: bool) -> race.Peer:
    """Prepare the head, to be trained on `data`/subset/train."""
    assembled = ours.assemble(data, "once" if is_once else "always")
    params, split, network, classifier, precision = assembled
    parts = frozen.cut(network, classifier, params.test_time_augmentation) if is_once else None
    models = (parts.logits, parts.tested) if parts else (classifier.logits, classifier.tested)

    def make(variables: list[keras.Variable], optimizer: keras.optimizers.Optimizer) -> stepping.Trainer:
        penalty = kernel_penalty.Penalty(params.l1, params.l2)
        return stepping.Trainer(*models, variables, optimizer, params.label_smoothing, penalty, jit=False)

    tuning = params.fine_tuning.model_copy(update={"head_epochs": params.epochs})
    settings = params.optimizer, params.schedule, tuning, params.epochs
    count = split.manifest.count
    trainer, *_ = phases.build(make, network, *settings, -(-count // params.batch_size), precision)

    tempfile.tempdir = str(data)  # which is removed; a worker's process ends without removing its own files
    made = parts and features.Split(split, parts.features, parts.backbone_values, 1, "the images")

    def batches() -> Callable[[int], Iterable]:
        epochs = range(params.epochs)
        if made is None:
            return execution.streamed(split, params.batch_size, epochs, params.seed)
        for file in made.folder.iterdir():
            file.unlink()  # each round computes them
        return made.streamed(params.batch_size, epochs, params.seed)

    def epoch() -> float:
        each = batches()
        for number in range(params.epochs):
            row = trainer.train_epoch(each(number), count, f"epoch {number + 1}")
        return row["loss"]

    def classify(images: np.ndarray) -> np.ndarray:
        return classifier.probabilities.predict(images, verbose=0).argmax(axis=1)

    return race.Peer(epoch, classify)


once = functools.partial(prepare, is_once=True)
always = functools.partial(prepare, is_once=False)
