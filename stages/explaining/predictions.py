"""Predict the classes of a split's images, and choose images to show."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from stages.inputs import names, tfrecord
from stages.running import errors

BATCH = 500  # images, or fewer if they are large
SUM_TOLERANCE = 0.05  # enough for float16 probabilities of a thousand classes
SHOWN_VALUES = 3  # in an error message


class Predictions(NamedTuple):
    """The classifier's probabilities for N images, in the order of the records."""

    probabilities: np.ndarray  # [N, K]
    labels: np.ndarray  # int [N], the actual classes
    positions: np.ndarray  # int [N], in the published split
    paths: np.ndarray | None = None  # str [N], of own pictures

    @property
    def predicted(self) -> np.ndarray:
        """The predicted labels, int [N]."""
        return self.probabilities.argmax(axis=1)

    @property
    def confidence(self) -> np.ndarray:
        """The probability of the predicted class, [N]."""
        return self.probabilities.max(axis=1)

    def take(self, rows: np.ndarray) -> "Predictions":
        """Return the predictions for some of the images, rows int [n]."""
        paths = None if self.paths is None else self.paths[rows]
        return Predictions(self.probabilities[rows], self.labels[rows], self.positions[rows], paths)

    @property
    def confused(self) -> dict[tuple[int, int], list[str]]:
        """The paths of own pictures that are taken for another class, by actual and predicted label."""
        found: dict[tuple[int, int], list[str]] = {}
        answers = zip(self.labels.tolist(), self.predicted.tolist(), strict=True)
        for path, (actual, predicted) in zip([] if self.paths is None else self.paths, answers, strict=False):
            if actual != predicted:
                found.setdefault((actual, predicted), []).append(path)
        return found

    def table(self, classes: Sequence[str], decimals: int) -> pd.DataFrame:
        """List each image's position, actual and predicted class, its rounded probability, and of own
        pictures the path.

        Args:
            classes: K names.
            decimals: Of the probability.
        """
        named = np.array(classes)
        columns = {
            "index": self.positions,
            "actual": named[self.labels],
            "predicted": named[self.predicted],
            "probability": self.confidence.round(decimals),
        }
        return pd.DataFrame(columns if self.paths is None else {**columns, "path": self.paths})


def predict(classifier: keras.Model, split: tfrecord.Split) -> Predictions:
    """Classify every image of a split once.

    Args:
        classifier: From images [B, H, W, C] to probabilities [B, K].
        split: The records.

    Raises:
        errors.BadInput: see `tfrecord.Split.iterate`.
    """
    step = tf.function(lambda images: classifier(images, training=False), reduce_retracing=True)
    batches = [
        Predictions(step(images).numpy(), labels.numpy(), positions.numpy())
        for images, labels, positions in split.batches(split.batch_size(BATCH))
    ]
    probabilities, labels, positions, _ = zip(*batches, strict=True)
    places = np.concatenate(positions)
    paths = names.read(split.folder, places)
    return Predictions(np.concatenate(probabilities), np.concatenate(labels), places, paths)


def require_probabilities(probabilities: np.ndarray, path: Path) -> None:
    """Check that a model's outputs are probabilities, not NaN or the scores of a model without a softmax.

    Args:
        probabilities: float [N, K].
        path: The model's file, for the error message.

    Raises:
        errors.BadInput: an output is NaN or negative, or the outputs for an image do not add up to 1.
    """
    wrong = ~(probabilities >= 0).all(axis=1) | ~(np.abs(probabilities.sum(axis=1) - 1) < SUM_TOLERANCE)
    if wrong.any():
        first = ", ".join(map(str, probabilities[wrong][0, :SHOWN_VALUES]))
        raise errors.BadInput(
            f"{path}: expected probabilities that add up to 1 for each image, received {first} for"
            f" {wrong.sum():,} of {len(wrong):,} images; train the model again, with a lower learning rate if"
            " these are nan"
        )


def images(split: tfrecord.Split, rows: np.ndarray) -> np.ndarray:
    """Read some images of a split.

    Args:
        split: The records.
        rows: int [n], the places of the images in the split, in any order.

    Returns:
        uint8 [n, H, W, C], in the order of `rows`.
    """
    chosen = np.empty((len(rows), *split.manifest.image_shape), np.uint8)
    first = 0
    for pixels, _, _ in split.batches(split.batch_size(BATCH)):
        is_here = (rows >= first) & (rows < first + len(pixels))
        chosen[is_here] = pixels.numpy()[rows[is_here] - first]
        first += len(pixels)
    return chosen


def spread(count: int, examples: int) -> np.ndarray:
    """Return at most `examples` rows, as int, that are spread evenly over a split of `count` images."""
    return np.unique(np.linspace(0, count - 1, min(examples, count)).round().astype(int))


def first_of_classes(labels: np.ndarray, classes: int, images: int) -> np.ndarray:
    """Return rows of the first images of the first classes to appear, class by class: int [n].

    Args:
        labels: int [N].
        classes: The maximum number of classes.
        images: The maximum number of images per class.
    """
    _, firsts = np.unique(labels, return_index=True)
    appearing = labels[np.sort(firsts)][:classes]
    return np.concatenate([np.flatnonzero(labels == label)[:images] for label in np.sort(appearing)])
