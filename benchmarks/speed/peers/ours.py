"""This project: what `dvc repro` trains with configs/cifar10-three-classes.yaml, epoch by epoch."""

import itertools
import math
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from benchmarks import child
from benchmarks.speed import race
from stages import train
from stages.classifier import architecture, assembly
from stages.inputs import tfrecord
from stages.running import paramfile
from stages.training import execution, hardware, kernel_penalty, phases, stepping

MOST_EPOCHS = 1000  # that a benchmark may ask for


class Assembled(NamedTuple):
    """The parts of a training."""

    params: train.Params
    split: tfrecord.Split
    network: keras.Model
    classifier: assembly.Classifier
    precision: str


def assemble(data: Path, records: str = "records") -> Assembled:
    """Write the records of `data`/subset to `data`/`records`, and make the parts as the train stage does."""
    child.stage("records", data, "raw", "subset", records, f"{records}.png")
    params = paramfile.read(train.Params, "train", data / "params.yaml")
    split = tfrecord.Split(data / records / "train")
    manifest = split.manifest
    machine = hardware.select("cpu", params.precision)
    hardware.prepare(machine, params.seed, params.deterministic)
    network = architecture.Architecture(params.model).build(manifest.image_shape, len(manifest.classes))
    looks = params.test_time_augmentation
    classifier = assembly.assemble(network, manifest.image_shape, manifest.normalization, looks)
    return Assembled(params, split, network, classifier, machine.precision)


def prepare(data: Path) -> race.Peer:
    """Prepare a training on `data`/subset/train."""
    params, split, network, classifier, precision = assemble(data)
    manifest = split.manifest
    models, penalty = (classifier.logits, classifier.tested), kernel_penalty.Penalty(params.l1, params.l2)

    def make(variables: list[keras.Variable], optimizer: keras.optimizers.Optimizer) -> stepping.Trainer:
        return stepping.Trainer(*models, variables, optimizer, params.label_smoothing, penalty, jit=False)

    settings = params.optimizer, params.schedule, params.fine_tuning, params.epochs
    steps = math.ceil(manifest.count / params.batch_size)
    trainer, *_ = phases.build(make, network, *settings, steps, precision)
    batches = execution.streamed(split, params.batch_size, range(MOST_EPOCHS), params.seed)
    numbers = itertools.count()

    def epoch() -> float:
        number = next(numbers)
        return trainer.train_epoch(batches(number), manifest.count, f"epoch {number + 1}")["loss"]

    def classify(images: np.ndarray) -> np.ndarray:
        return classifier.probabilities.predict(images, verbose=0).argmax(axis=1)

    return race.Peer(epoch, classify)
