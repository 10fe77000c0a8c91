"""The record of how a saved model was trained: training.json beside it."""

from pathlib import Path
from typing import Any

import pydantic

from stages.inputs import manifest
from stages.running import outputs, paramfile

FILE = "training.json"


class Records(paramfile.Section):
    """The preparation of the training images."""

    augment: list[dict[str, dict[str, Any] | None]]
    normalization: manifest.Normalization
    views: paramfile.Size


class Settings(paramfile.Section):
    """The section `train` of params.yaml, with the keys that other stages know."""

    model_config = pydantic.ConfigDict(extra="allow")

    epochs: paramfile.Size
    model: dict[str, Any]  # a name and that architecture's options
    test_time_augmentation: paramfile.Size  # looks at an image


class Training(paramfile.Section):
    """The classes and the images that a model is for, and the parameters and records of its training."""

    classes: list[str]  # in the order of the probabilities
    form: manifest.Form | None  # of the images, if they were pictures; None of arrays as they were published
    params: Settings
    records: Records
    train_images: paramfile.Count
    val_images: paramfile.Count


def write(folder: Path, training: Training) -> None:
    """Write training.json into the folder of a model."""
    outputs.write_json(folder / FILE, training.model_dump())


def read(folder: Path) -> Training:
    """Read training.json of a model.

    Raises:
        errors.BadInput: the file is missing, or not as `write` writes it.
    """
    path = folder / FILE
    return paramfile.check(Training, outputs.read_json(path), str(path))
