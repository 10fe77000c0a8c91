"""Train a network on the accelerator and keep the last weights, or better ones of an earlier epoch.

Reads data/records/train and data/records/val; writes the model with its summary and what ran, and
the learning curves' numbers.
"""

import functools
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pydantic

from stages.classifier import (
    architecture,
    assembly,
    model_files,
    provenance,
    stock_layers,
    temperature,
    test_time_augmentation,
)
from stages.classifier import history as curves
from stages.inputs import encoded, tfrecord
from stages.inputs import manifest as manifests
from stages.running import command, given, paramfile
from stages.training import (
    checkpoints,
    class_weights,
    execution,
    features,
    hardware,
    identity,
    kernel_penalty,
    loop,
    memory,
    optimizers,
    phases,
    resident,
    selection,
    strategies,
)

VALIDATION_BATCH = 500  # images, or fewer if they are large; larger ones are no faster


class Params(paramfile.Section):
    """Parameters of the training. `model` is a name and that architecture's options."""

    model: dict[str, Any]
    weights: str
    optimizer: optimizers.Options
    schedule: phases.Schedule
    fine_tuning: phases.FineTuning
    l1: float = pydantic.Field(ge=0)
    l2: float = pydantic.Field(ge=0)
    label_smoothing: float = pydantic.Field(ge=0, lt=1)
    class_weight: class_weights.Wanted
    epochs: int = pydantic.Field(ge=1)
    batch_size: int = pydantic.Field(ge=1)
    test_time_augmentation: test_time_augmentation.Looks
    calibrate: temperature.Method
    select: selection.Measure
    average: float | None = pydantic.Field(gt=0, lt=1)
    patience: int | None = pydantic.Field(ge=1)
    device: hardware.Device
    precision: hardware.Precision
    strategy: strategies.Wanted
    worker_seconds: float = pydantic.Field(ge=0, le=1e6)
    resident: bool | Literal["auto"]
    deterministic: bool
    seed: paramfile.Seed

    @pydantic.model_validator(mode="after")
    def _phases_fit(self) -> "Params":
        phases.require_epochs(self.schedule, self.fine_tuning, self.epochs)
        return self


def train(
    params: Params,
    train_records: Path,
    val_records: Path,
    model: Path,
    history: Path,
    timing: Path | None = None,
) -> None:
    """Write model.keras, summary.txt, environment.json and training.json to the folder `model`, and
    the learning curves' numbers to the CSV file `history`. If `timing` is given, write there how long each
    part took, as JSON in seconds.

    The saved model takes raw pixels ([B, H, W, C] of 0 to 255, uint8 or float; see `pixels` for other floats)
    and gives probabilities (float32 [B, K]); it consists of Keras's own layers. Without validation images
    the last weights are kept.

    The strategy's replicas share out each batch. Of several workers only the chief, the first one, writes and
    says something; all must be called alike.

    Raises:
        errors.BadInput: bad records, an unknown model or option, images too small for it or normalized
            in another way than it needs, class weights of other classes, a GPU or a worker that is not there,
            workers that differ, `resident` where it cannot be, fewer images in a batch than replicas.
        errors.Diverged: a loss that is no longer finite.
        errors.Unreachable: a worker that does not come.
        errors.WorkerLost: a worker that has ended.
    """
    chosen = architecture.Architecture(params.model)
    train_split, val_split = encoded.read(train_records), tfrecord.Split(val_records)
    manifest, val_images = train_split.manifest, val_split.manifest.count
    manifests.require_alike(manifest, val_split.manifest)
    chosen.require_normalization(manifest.normalization.method)
    selection.require_images(params.patience, val_images)
    per_class = class_weights.by_label(params.class_weight, manifest.classes, manifest.class_images_in_view)
    weights = given.content(given.path(params.weights, "train.weights"))
    machine = hardware.select(params.device, params.precision)
    environment = hardware.environment(machine, params.deterministic)
    settings, digests = params.model_dump(), identity.of_weights(weights)
    splits = manifest.checksum, val_split.manifest.checksum
    with strategies.started(params.strategy, params.worker_seconds) as team:
        team.require_alike(identity.shared(settings, splits, digests, hardware.alike(environment)))
        hardware.prepare(machine, params.seed, params.deterministic)
        network = chosen.build(manifest.image_shape, len(manifest.classes), weights)
        looks = params.test_time_augmentation
        classifier = assembly.assemble(network, manifest.image_shape, manifest.normalization, looks)
        chosen.initialize(network, train_split, classifier.normalize)
        if machine.device == "cpu":
            memory.require(network, math.ceil(params.batch_size / team.workers))
        how = execution.choose(
            params.resident, params.deterministic, machine.device, network, train_split, params.epochs
        )
        print(f"training on {machine.in_words}, {how}{team.in_words}", flush=True)
        kind = functools.partial(
            execution.trainer(how, params.batch_size),
            label_smoothing=params.label_smoothing,
            penalty=kernel_penalty.Penalty(params.l1, params.l2),
            class_weights=per_class,
        )
        head_epochs = params.fine_tuning.head_epochs
        parts = features.parts(how, network, classifier, looks) if head_epochs else None
        trainers = phases.build(
            functools.partial(kind, classifier.logits, classifier.tested),
            network,
            params.optimizer,
            params.schedule,
            params.fine_tuning,
            params.epochs,
            math.ceil(manifest.count / params.batch_size),
            machine.precision,
            functools.partial(kind, parts.logits, parts.tested) if parts else None,
            params.average,
        )
        began = time.perf_counter()
        epochs: Callable[[int], Any]
        if how == "resident":
            epochs = resident.prepare(trainers, train_split, params.epochs, params.seed, machine.device)
        else:
            counts = params.batch_size, head_epochs, params.epochs
            epochs = features.training(parts, train_split, *counts, params.seed)
        val_batch = val_split.batch_size(VALIDATION_BATCH)
        tests = features.validation(parts, val_split, val_batch, head_epochs, params.epochs)
        name = identity.key(settings, *splits, digests, environment)
        with checkpoints.Checkpoints(name, trainers, team) as kept:
            state = kept.restore()
            prepared = time.perf_counter()
            choice = loop.Choice(params.select, params.patience)
            rows, kept_epoch = loop.fit(trainers, epochs, manifest.count, tests, choice, state, kept.save)
            trained = time.perf_counter()
            seen = temperature.logits(classifier.tested, val_split.batches(val_batch)) if val_images else None
            training = provenance.Training(
                classes=manifest.classes,
                form=manifest.form,
                params=provenance.Settings.model_validate(settings),
                records=provenance.of_records(manifest),
                calibration=temperature.calibrate(params.calibrate, classifier.temperature, seen),
                train_images=manifest.different,
                val_images=val_images,
                kept_epoch=kept_epoch,
            )
            saved = stock_layers.with_stock_layers(classifier.probabilities)  # all workers make its variables
            if team.is_chief:
                model_files.write(model, saved, environment | team.described(), training, seen)
                curves.write(history, rows)
        if timing is not None and team.is_chief:
            curves.write_seconds(timing, rows, prepared - began, trained - prepared)


if __name__ == "__main__":
    command.run(train, Params)
