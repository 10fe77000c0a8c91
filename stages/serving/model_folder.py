"""A folder with a trained model: the model, its classes, and the form of the pictures that it takes."""

import hashlib
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, cast, get_args

import keras
import numpy as np
import tensorflow as tf
from PIL import ImageColor

from stages.classifier import provenance, saving, validation
from stages.decoding import picture, resizing
from stages.explaining import predictions
from stages.reporting import selective
from stages.running import errors
from stages.serving import forms


class Trained(NamedTuple):
    """A model that can be used.

    Attributes:
        probabilities: From pixels, uint8 [B, H, W, C], to probabilities, float32 [B, K].
        classes: K names, in the order of the probabilities.
        form: The form of its pictures.
        digest: Of the files that say how it answers, and of the versions of what computes it.
        keras_version: The version of Keras that saved it.
    """

    probabilities: Callable[[np.ndarray], np.ndarray]
    classes: list[str]
    form: forms.Form
    digest: str
    keras_version: str

    def __str__(self) -> str:
        height, width, channels = self.form.shape
        return (
            f"{len(self.classes)} classes, images of {height}x{width}x{channels}; saved by Keras"
            f" {self.keras_version}, loaded by {keras.__version__} ({saving.OLDEST_KERAS} and newer can)"
        )


def load(folder: Path, max_pixels: int) -> Trained:
    """Load the model of a folder.

    Args:
        folder: A folder with model.keras and training.json, as the train stage writes it.
        max_pixels: The largest height times width of a picture.

    Raises:
        errors.BadInput: a file is missing or damaged, or the model is not one that the train stage writes.
    """
    file = folder / provenance.MODEL
    for path in (file, folder / provenance.FILE):
        if not path.is_file():
            raise errors.BadInput(
                f"expected a trained model in {folder}, found no {path.name}; run `dvc repro` or `dvc pull`,"
                " or name the model's folder with --model"
            )
    training = provenance.read(folder)
    model = saving.load(file, None, len(training.classes))
    form = _form(model, training, max_pixels, file)
    digest = hashlib.sha256(f"{keras.__version__} {tf.__version__}".encode())
    digest.update((folder / provenance.FILE).read_bytes())  # it has that of the model, which was checked
    return Trained(_of_pixels(model, file), training.classes, form, digest.hexdigest(), _keras_version(file))


def threshold(folder: Path, precision: float) -> float:
    """Return the confidence above which a precision holds, by the validation images of a model's folder.

    Raises:
        errors.BadInput: their answers are missing, or they show this precision at no confidence.
    """
    known = validation.read(folder)
    found = selective.threshold(known.confidence, known.right, precision)
    if found is None:
        raise errors.BadInput(
            f"the {len(known.right):,} validation images of {folder} show a precision of {precision} at no"
            " confidence; expect less, or train with more validation images"
        )
    return found


def _form(model: keras.Model, training: provenance.Training, max_pixels: int, file: Path) -> forms.Form:
    shape = tuple(model.input_shape[1:])
    if len(shape) != 3 or not all(shape) or shape[2] not in picture.MODES:
        raise errors.BadInput(
            f"{file}: expected a model for images of a height, a width and 1 to 4 channels, received one for"
            f" {shape}"
        )
    if training.form is None:  # images that were published as arrays, of one size
        return forms.Form(shape, "squash", picture.WHITE, max_pixels)
    resize, background = training.form.resize, training.form.background
    if resize not in get_args(resizing.Policy) or not re.fullmatch("#[0-9a-f]{6}", background):
        raise errors.BadInput(
            f"{file.with_name(provenance.FILE)}: expected a form as the subset stage writes it, received"
            f" {training.form}"
        )
    return forms.Form(shape, cast(resizing.Policy, resize), ImageColor.getrgb(background)[:3], max_pixels)


def _of_pixels(model: keras.Model, file: Path) -> Callable[[np.ndarray], np.ndarray]:
    step = tf.function(lambda images: model(images, training=False))

    def probabilities(images: np.ndarray) -> np.ndarray:
        found = step(images).numpy()
        predictions.require_probabilities(found, file)
        return found

    return probabilities


def _keras_version(file: Path) -> str:
    """Return the version that the archive names; Keras itself does not need it."""
    try:
        with zipfile.ZipFile(file) as archive:
            return str(json.loads(archive.read("metadata.json"))["keras_version"])
    except (LookupError, TypeError, ValueError):
        return "of a version that it does not name"
