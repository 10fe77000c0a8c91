"""Train a network on the accelerator and keep its best weights.

Reads data/records/train and data/records/val; writes the model with its summary and what ran, and
the learning curves' numbers.
"""

import importlib
import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import keras
import numpy as np
import pandas as pd
import pydantic
import tensorflow as tf

from stages.classifier import pixels, saving, stock_layers, summary, test_time_augmentation
from stages.inputs import tfrecord
from stages.layers import max_pooling
from stages.running import command, errors, outputs, paramfile
from stages.training import hardware, loop, optimizers, resident, schedules

MODELS = Path(__file__).parent / "models"
BACKBONE = "backbone"  # the name of a model's pretrained part
INITIAL_IMAGES = 2000  # from which an architecture may compute its first weights
INITIAL_BATCH = 500  # of them in memory at a time, or fewer
VALIDATION_BATCH = 500  # images, or fewer if they are large; larger ones are no faster
VALIDATION = ["val_loss", "val_accuracy", "val_precision", "val_recall"]  # of the history's columns
HISTORY_FORMAT = "%.6g"  # six digits; a learning rate can be small


class Schedule(paramfile.Section):
    """The learning rate's shape over the training."""

    name: schedules.Shape
    warmup_epochs: float = pydantic.Field(ge=0)
    final_fraction: float = pydantic.Field(ge=0, le=1)


class FineTuning(paramfile.Section):
    """How a pretrained backbone is trained: not at all for some epochs, then gently."""

    head_epochs: int = pydantic.Field(ge=0)  # in which only what follows the backbone is trained
    learning_rate_scale: float = pydantic.Field(gt=0)  # of the peak, in the epochs after them


class Params(paramfile.Section):
    """Architecture, optimization, precision and device. `model` is a name and that model's options."""

    model: dict[str, Any]
    optimizer: optimizers.Options
    schedule: Schedule
    fine_tuning: FineTuning
    l1: float = pydantic.Field(ge=0)
    l2: float = pydantic.Field(ge=0)
    label_smoothing: float = pydantic.Field(ge=0, lt=1)
    epochs: int = pydantic.Field(ge=1)
    batch_size: int = pydantic.Field(ge=1)
    test_time_views: test_time_augmentation.Count
    patience: int | None = pydantic.Field(ge=1)
    device: hardware.Device
    precision: hardware.Precision
    resident: bool | Literal["auto"]
    deterministic: bool
    seed: paramfile.Seed

    @pydantic.model_validator(mode="after")
    def _phases_fit(self) -> "Params":
        head, warm = self.fine_tuning.head_epochs, self.schedule.warmup_epochs
        if head + warm > self.epochs:
            raise ValueError(
                f"expected fine_tuning.head_epochs and schedule.warmup_epochs of together at most"
                f" epochs = {self.epochs}, received {head} and {warm}"
            )
        return self


def train(params: Params, train_records: Path, val_records: Path, model: Path, history: Path) -> None:
    """Write model.keras, summary.txt, environment.json and training.json to the folder `model`, and
    the learning curves' numbers to the CSV file `history`.

    The saved model takes raw pixels ([B, H, W, C] of 0 to 255, uint8 or float; see `pixels` for other floats)
    and gives probabilities (float32 [B, K]); it consists of Keras's own layers. Without validation images
    the last weights are kept.

    Called in the scope of a `tf.distribute` strategy, it trains on all of its replicas; a batch is
    shared out among them.

    Raises:
        errors.BadInput: bad records, an unknown model or option, images too small for it or normalized
            in another way than it needs, a GPU that is not there, `resident` where it cannot be, fewer
            images in a last batch than replicas, or a loss that is no longer finite.
    """
    architecture, options = _architecture(params.model)
    train_manifest, val_manifest = (tfrecord.read_manifest(folder) for folder in (train_records, val_records))
    _require_normalization(architecture, params.model["name"], train_manifest["normalization"]["method"])
    chosen = hardware.select(params.device, params.precision)
    keras.mixed_precision.set_dtype_policy(chosen.precision)
    keras.utils.set_random_seed(params.seed)
    if params.deterministic:
        tf.config.experimental.enable_op_determinism()
    network = architecture.build(train_manifest["image_shape"], len(train_manifest["classes"]), options)
    logits, tested, classifier = _with_pixels_in(network, train_manifest, params.test_time_views)
    _initialize(architecture, network, options, logits, train_records, train_manifest)
    execution = _execution(params, chosen.device, network, train_manifest)
    print(f"training on {chosen.device} ({chosen.name}) in {chosen.precision}, {execution}", flush=True)
    trainers = _trainers(params, network, logits, tested, train_manifest["count"], chosen, execution)
    if params.patience is not None and not val_manifest["count"]:
        raise errors.BadInput(
            f"train.patience is {params.patience}, but there are no validation images to wait for; set it to"
            " null, or subset.val_fraction above 0"
        )
    _require_images_for_replicas(train_manifest["count"], params.batch_size)
    val_batch = tfrecord.batch_size(val_manifest, VALIDATION_BATCH)
    _require_images_for_replicas(val_manifest["count"], val_batch)
    epochs: Callable[[int], Any]
    if execution == "resident":
        epochs = resident.prepare(
            trainers, train_records, train_manifest, params.epochs, params.seed, chosen.device
        )
    else:
        epochs = _streamed(
            train_records, train_manifest, params.batch_size, range(params.epochs), params.seed
        )
    rows = loop.fit(
        trainers,
        epochs,
        train_manifest["count"],
        _streamed(val_records, val_manifest, val_batch, [0] * params.epochs)
        if val_manifest["count"]
        else None,
        params.patience,
    )
    saved = stock_layers.with_stock_layers(classifier)
    with outputs.folder(model) as partial:
        saving.save(saved, partial / "model.keras")
        (partial / "summary.txt").write_text(summary.table(saved), encoding="utf-8")
        outputs.write_json(partial / "environment.json", hardware.environment(chosen, params.deterministic))
        outputs.write_json(partial / "training.json", _settings(params, train_manifest, val_manifest))
    with outputs.file(history) as partial:
        table = pd.DataFrame(rows)
        # DVC's plots name the columns of the validation, and draw what is empty as 0, but nan not at all.
        table = table.reindex(columns=[*table, *(name for name in VALIDATION if name not in table)])
        table.to_csv(partial, index=False, lineterminator="\n", float_format=HISTORY_FORMAT, na_rep="nan")


def _execution(params: Params, device: str, network: keras.Model, manifest: dict[str, Any]) -> loop.Execution:
    """How steps run: on a GPU compiled, and where there is room for it with the images beside them."""
    is_refused = params.deterministic and max_pooling.is_refused(network)
    in_scope = tf.distribute.has_strategy()
    if params.resident is True and (is_refused or in_scope):
        reason = f"{network.name} has a max-pooling that XLA compiles only without train.deterministic"
        raise errors.BadInput(
            "train.resident is true, which expects one device and a model that XLA compiles, but"
            f" {reason if is_refused else 'a tf.distribute strategy is in charge'}; set it to auto"
        )
    has_room = resident.size(manifest, params.epochs) <= resident.LARGEST
    if is_refused or (device == "cpu" and params.resident is not True):
        return "stepwise"
    if params.resident is True or (params.resident == "auto" and has_room and not in_scope):
        return "resident"
    return "compiled"


def _streamed(
    records: Path, manifest: dict[str, Any], batch_size: int, epochs: Sequence[int], seed: int = 0
) -> Callable[[int], Iterable]:
    """Gives the batches of one of these epochs after the other as they are read, shared out among the
    replicas."""
    data = tfrecord.dataset(records, manifest, batch_size, epochs, seed)
    distributed = tf.distribute.get_strategy().experimental_distribute_dataset(data)
    batches = tfrecord.batches(distributed, records)
    return lambda epoch: itertools.islice(batches, math.ceil(manifest["count"] / batch_size))


def _settings(params: Params, train: dict[str, Any], val: dict[str, Any]) -> dict[str, Any]:
    """What the model was trained with, for its card."""
    made = {key: train[key] for key in ("augment", "views", "normalization")}
    counts = {"train_images": train["count"], "val_images": val["count"]}
    return {"params": params.model_dump(), "records": made, **counts}


def _architecture(model: dict[str, Any]) -> tuple[ModuleType, paramfile.Section]:
    """The module that `train.model.name` names, and its checked options."""
    known = sorted(path.stem for path in MODELS.glob("*.py"))
    options = dict(model)
    if "name" not in options:
        raise errors.BadInput(f"train.model.name is missing; expected one of: {', '.join(known)}")
    if (name := options.pop("name")) not in known:
        raise errors.unknown("model", str(name), known)
    module = importlib.import_module(f"stages.models.{name}")
    return module, paramfile.check(module.Options, options, "train.model")


def _require_normalization(architecture: ModuleType, name: str, received: str) -> None:
    """An architecture that scales pixels itself says in NORMALIZE what it has to be given."""
    expected = getattr(architecture, "NORMALIZE", received)
    if received != expected:
        raise errors.BadInput(
            f"{name} expects records with normalize: {expected}, received {received};"
            f" set records.normalize to {expected}"
        )


def _require_images_for_replicas(images: int, batch_size: int) -> None:
    """oneDNN's convolutions fail on a replica's empty share of a batch."""
    replicas, last = tf.distribute.get_strategy().num_replicas_in_sync, images % batch_size
    if 0 < last < replicas:
        raise errors.BadInput(
            f"expected a last batch of at least one image for each of {replicas} replicas, received {last} of"
            f" {images} images in batches of {batch_size}; change train.batch_size or subset.val_fraction"
        )


def _with_pixels_in(
    network: keras.Model, manifest: dict[str, Any], test_time_views: test_time_augmentation.Count
) -> tuple[keras.Model, keras.Model, keras.Model]:
    """Put the normalization before a network: models of the same weights from uint8 pixels to its
    logits, to the logits that are tested, and from images of any scale to probabilities."""
    constants = manifest["normalization"]
    raw = keras.Input(manifest["image_shape"], dtype="uint8", name="pixels")
    normalize = keras.layers.Normalization(
        mean=constants["mean"], variance=[std**2 for std in constants["std"]], dtype="float32"
    )
    images = normalize(raw)
    tested = test_time_augmentation.logits(network, images, test_time_views)
    given = keras.Input(manifest["image_shape"], dtype="float32", name="image")
    judged = test_time_augmentation.logits(network, normalize(pixels.of_any_scale(given)), test_time_views)
    probabilities = keras.layers.Softmax(dtype="float32", name="probabilities")(judged)
    classifier = keras.Model(given, pixels.only_of_pixels(probabilities, given), name="classifier")
    return keras.Model(raw, network(images)), keras.Model(raw, tested), classifier


def _initialize(
    architecture: ModuleType,
    network: keras.Model,
    options: paramfile.Section,
    logits: keras.Model,
    records: Path,
    manifest: dict[str, Any],
) -> None:
    """Let an architecture that starts from the training images see some of them, normalized."""
    if not hasattr(architecture, "initialize"):
        return
    size = tfrecord.batch_size(manifest, INITIAL_BATCH)
    data = tfrecord.dataset(records, manifest, size)
    (normalize,) = (layer for layer in logits.layers if isinstance(layer, keras.layers.Normalization))
    batches = itertools.islice(tfrecord.batches(data, records), math.ceil(INITIAL_IMAGES / size))
    architecture.initialize(network, (np.asarray(normalize(batch)) for batch, _, _ in batches), options)


def _trainers(
    params: Params,
    network: keras.Model,
    logits: keras.Model,
    tested: keras.Model,
    images: int,
    chosen: hardware.Hardware,
    execution: loop.Execution,
) -> list[loop.Trainer]:
    """The trainer of each epoch: of what surrounds the backbone for the first, of everything after."""
    steps = math.ceil(images / params.batch_size)  # per epoch
    peak, head_epochs = params.optimizer.learning_rate, params.fine_tuning.head_epochs
    epochs = params.epochs - head_epochs

    def trainer(variables: list[keras.Variable], schedule: schedules.WarmupThenDecay) -> loop.Trainer:
        optimizer = optimizers.build(params.optimizer, schedule, chosen.precision, network)
        penalty, jit = loop.Penalty(params.l1, params.l2), execution != "stepwise"
        common = logits, tested, variables, optimizer, params.label_smoothing, penalty, jit
        if execution == "resident":
            return resident.Trainer(*common, batch_size=params.batch_size)
        return loop.Trainer(*common)

    whole = schedules.WarmupThenDecay(
        peak=peak * (params.fine_tuning.learning_rate_scale if head_epochs else 1.0),
        shape=params.schedule.name,
        steps=epochs * steps,
        warmup_steps=round(params.schedule.warmup_epochs * steps),
        final_fraction=params.schedule.final_fraction,
    )
    trainers = [trainer(network.trainable_variables, whole)] * epochs
    if head_epochs:
        constant = schedules.WarmupThenDecay(peak, "constant", head_epochs * steps, 0, 1.0)
        trainers = [trainer(_outside_backbone(network), constant)] * head_epochs + trainers
    return trainers


def _outside_backbone(network: keras.Model) -> list[keras.Variable]:
    backbones = [layer for layer in network.layers if layer.name == BACKBONE]
    if not backbones:
        raise errors.BadInput(
            "train.fine_tuning.head_epochs expects a model with a pretrained backbone, such as transfer;"
            f" {network.name} has none: set it to 0"
        )
    inside = {variable.path for variable in backbones[0].variables}
    return [variable for variable in network.trainable_variables if variable.path not in inside]


if __name__ == "__main__":
    command.run(train, Params)
