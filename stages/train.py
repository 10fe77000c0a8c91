"""Train a network on the accelerator and keep the last weights, or better ones of an earlier epoch.

Reads data/records/train and data/records/val; writes the model with its summary and what ran, and
the learning curves' numbers.
"""

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import keras
import pydantic

from stages.classifier import (
    architecture,
    assembly,
    provenance,
    saving,
    stock_layers,
    summary,
    temperature,
    test_time_augmentation,
    validation,
)
from stages.classifier import history as curves
from stages.inputs import encoded, tfrecord
from stages.inputs import manifest as manifests
from stages.running import command, errors, given, outputs, paramfile
from stages.training import (
    checkpoints,
    class_weights,
    execution,
    features,
    hardware,
    loop,
    memory,
    optimizers,
    phases,
    resident,
    selection,
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

    Called in the scope of a `tf.distribute` strategy, it trains on all of its replicas; a batch is
    shared out among them.

    Raises:
        errors.BadInput: bad records, an unknown model or option, images too small for it or normalized
            in another way than it needs, class weights of other classes, a GPU that is not there,
            `resident` where it cannot be, fewer images in a last batch than replicas.
        errors.Diverged: a loss that is no longer finite.
    """
    chosen = architecture.Architecture(params.model)
    train_split, val_split = encoded.read(train_records), tfrecord.Split(val_records)
    manifest, val_images = train_split.manifest, val_split.manifest.count
    manifests.require_alike(manifest, val_split.manifest)
    chosen.require_normalization(manifest.normalization.method)
    if params.patience is not None and not val_images:
        raise errors.BadInput(
            f"train.patience is {params.patience}, but there are no validation images to wait for; set it to"
            " null, or subset.val_fraction above 0"
        )
    class_weight = class_weights.by_label(
        params.class_weight, manifest.classes, manifest.class_images_in_view
    )
    weights = given.content(given.path(params.weights, "train.weights"))
    machine = hardware.select(params.device, params.precision)
    hardware.prepare(machine, params.seed, params.deterministic)

    network = chosen.build(manifest.image_shape, len(manifest.classes), weights)
    looks = params.test_time_augmentation
    classifier = assembly.assemble(network, manifest.image_shape, manifest.normalization, looks)
    chosen.initialize(network, train_split, classifier.normalize)
    if machine.device == "cpu":
        memory.require(network, params.batch_size)
    how = execution.choose(
        params.resident, params.deterministic, machine.device, network, train_split, params.epochs
    )
    print(f"training on {machine.device} ({machine.processor}) in {machine.precision}, {how}", flush=True)

    kind = execution.trainer(how, params.batch_size)
    penalty = loop.Penalty(params.l1, params.l2)

    def maker(logits: keras.Model, tested: keras.Model) -> phases.MakeTrainer:
        return lambda variables, optimizer: kind(
            logits,
            tested,
            variables,
            optimizer,
            params.label_smoothing,
            penalty,
            class_weights=class_weight,
        )

    head_epochs = params.fine_tuning.head_epochs
    parts = features.parts(how, network, classifier, looks) if head_epochs else None
    trainers = phases.build(
        maker(classifier.logits, classifier.tested),
        network,
        params.optimizer,
        params.schedule,
        params.fine_tuning,
        params.epochs,
        math.ceil(manifest.count / params.batch_size),
        machine.precision,
        maker(parts.logits, parts.tested) if parts else None,
        params.average,
    )
    began = time.perf_counter()
    epochs: Callable[[int], Any]
    if how == "resident":
        epochs = resident.prepare(trainers, train_split, params.epochs, params.seed, machine.device)
    else:
        counts = params.batch_size, head_epochs, params.epochs
        epochs = features.training(parts, train_split, *counts, params.seed)
    tests = None
    if val_images:
        batch_size = val_split.batch_size(VALIDATION_BATCH)
        tests = features.validation(parts, val_split, batch_size, head_epochs, params.epochs)
    environment = hardware.environment(machine, params.deterministic)
    records = provenance.Records(
        augment=manifest.augment,
        normalization=manifest.normalization,
        view_images=manifest.count,
        views=manifest.views,
    )
    settings = provenance.Settings.model_validate(params.model_dump())
    splits = train_split.manifest.checksum, val_split.manifest.checksum
    name = checkpoints.key(params.model_dump(), *splits, checkpoints.of_weights(weights), environment)
    with checkpoints.Checkpoints(name, trainers) as kept:
        state = kept.restore()
        prepared = time.perf_counter()
        choice = loop.Choice(params.select, params.patience)
        rows, kept_epoch = loop.fit(trainers, epochs, manifest.count, tests, choice, state, kept.save)
        trained = time.perf_counter()
        seen = _seen(classifier.tested, val_split) if val_images else None
        training = provenance.Training(
            classes=manifest.classes,
            form=manifest.form,
            params=settings,
            records=records,
            calibration=_calibrate(params.calibrate, classifier.temperature, seen),
            train_images=manifest.different,
            val_images=val_images,
            kept_epoch=kept_epoch,
        )
        _save(model, classifier.probabilities, environment, training, seen)
        curves.write(history, rows)
    if timing is not None:
        seconds = {"epochs": [row["seconds"] for row in rows], "preparation": prepared - began}
        outputs.write_json(timing, {**seconds, "training": trained - prepared})


def _seen(tested: keras.Model, split: tfrecord.Split) -> temperature.Seen:
    """Compute the logits of the validation images with the weights that are kept."""
    return temperature.logits(tested, split.batches(split.batch_size(VALIDATION_BATCH)))


def _calibrate(
    method: temperature.Method, layer: keras.layers.Rescaling, seen: temperature.Seen | None
) -> provenance.Calibration | None:
    """Calibrate the saved model on the validation images; None if that is not wanted or cannot be."""
    if method == "none":
        return None
    if seen is None:
        print("the probabilities are not calibrated: there are no validation images")
        return None
    found = temperature.fit(seen)
    temperature.apply(layer, found)
    changed = f"from {found.log_loss_before:.4f} to {found.log_loss:.4f}"
    print(f"calibrated: temperature {found.temperature:.3f}, validation log loss {changed}")
    return found


def _save(
    folder: Path,
    classifier: keras.Model,
    environment: dict[str, object],
    training: provenance.Training,
    seen: temperature.Seen | None,
) -> None:
    saved = stock_layers.with_stock_layers(classifier)
    with outputs.folder(folder) as partial:
        saving.save(saved, partial / provenance.MODEL)
        (partial / "summary.txt").write_text(summary.table(saved), encoding="utf-8")
        outputs.write_json(partial / provenance.ENVIRONMENT, environment)
        provenance.write(partial, training)
        validation.write(partial, *temperature.judged(seen, training.calibration))


if __name__ == "__main__":
    command.run(train, Params)
