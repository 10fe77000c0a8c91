"""The record of how a saved model was trained: training.json beside it."""

import hashlib
from pathlib import Path
from typing import Annotated, Any

import pydantic

from stages.inputs import manifest
from stages.running import errors, outputs, paramfile

MODEL = "model.keras"
FILE = "training.json"
ENVIRONMENT = "environment.json"


class Records(paramfile.Section):
    """The preparation of the training images."""

    augment: list[dict[str, dict[str, Any] | None]]
    normalization: manifest.Normalization
    view_images: paramfile.Count  # of an augmented copy; more than there are where small classes are repeated
    views: paramfile.Size


def of_records(records: manifest.Manifest) -> Records:
    """Return what there is to know of the preparation of training images."""
    return Records(
        augment=records.augment,
        normalization=records.normalization,
        view_images=records.count,
        views=records.views,
    )


class Settings(paramfile.Section):
    """The section `train` of params.yaml, with the keys that other stages know."""

    model_config = pydantic.ConfigDict(extra="allow")

    epochs: paramfile.Size
    model: dict[str, Any]  # a name and that architecture's options
    select: str  # the measure that chooses the best epoch
    test_time_augmentation: paramfile.Size  # looks at an image


class Calibration(paramfile.Section):
    """The temperature of a model, and what it changed on the validation images."""

    temperature: Annotated[float, pydantic.Field(gt=0)]
    log_loss: float  # mean negative log-likelihood in nats
    log_loss_before: float
    images: paramfile.Size


class Training(paramfile.Section):
    """The classes and the images that a model is for, and the parameters and records of its training."""

    classes: list[str]  # in the order of the probabilities
    form: manifest.Form | None  # of the images, if they were pictures; None of arrays as they were published
    params: Settings
    records: Records
    calibration: Calibration | None  # None if there was none
    train_images: paramfile.Count
    val_images: paramfile.Count
    kept_epoch: paramfile.Size  # whose weights the model has, counted from 1


class _Written(Training):
    """The content of training.json."""

    sha256: str  # of the model's file


def write(folder: Path, training: Training) -> None:
    """Write training.json into the folder that holds the model's file."""
    outputs.write_json(folder / FILE, training.model_dump() | {"sha256": _sha256(folder / MODEL)})


def read(folder: Path) -> Training:
    """Read training.json of a model, and check that the model's file is the one that was trained.

    Raises:
        errors.BadInput: a file is missing, or not as the train stage writes it.
    """
    written = outputs.read(_Written, folder / FILE)
    if (received := _sha256(folder / MODEL)) != written.sha256:
        raise errors.BadInput(
            f"{folder / MODEL}: expected the model that was trained, with the SHA-256 {written.sha256},"
            f" received {received}; {outputs.RERUN}"
        )
    return written


def _sha256(path: Path) -> str:
    if not path.is_file():
        return "no file"
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _Environment(pydantic.RootModel[dict[str, str | int | float | bool | None]]):
    """What ran: device, precision, versions."""


def read_environment(folder: Path) -> dict[str, Any]:
    """Read environment.json of a model: device, precision, versions.

    Raises:
        errors.BadInput: the file is missing, or not as the train stage writes it.
    """
    return outputs.read(_Environment, folder / ENVIRONMENT).root
