"""Run an export at once and compare it with the Keras model: it is no export if it answers otherwise."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from stages.explaining import predictions
from stages.inputs import tfrecord
from stages.running import errors, progress

IMAGES = 256  # of the test split
BATCH = 32  # images at a time
TOLERANCE = 1e-4  # of a probability
MARGIN = 1e-3  # between the two highest probabilities; below it, rounding may decide about the class
LOST_ACCURACY = 0.01  # at most, of int8
MOVED = 0.1  # at most, of the probability of an image, on average: what float32 may differ from bfloat16

Judge = Callable[[np.ndarray], np.ndarray]  # from float32 images [B, H, W, C] to probabilities [B, K]


class Differs(errors.StageError):
    """An export does not give what the model gives."""


class Accuracies(NamedTuple):
    """The share of the test images that each gets right."""

    model: float
    exported: float
    images: int


def chosen(split: tfrecord.Split) -> np.ndarray:
    """Return at most `IMAGES` images that are spread over a split, uint8 [N, H, W, C]."""
    return predictions.images(split, predictions.spread(split.manifest.count, IMAGES))


def judged(judge: Judge, images: np.ndarray) -> np.ndarray:
    """Return the probabilities of images, uint8 [N, H, W, C], in batches: float32 [N, K]."""
    batches = (images[start : start + BATCH] for start in range(0, len(images), BATCH))
    return np.concatenate([judge(batch.astype(np.float32)) for batch in batches])


def of_keras(model: keras.Model) -> Judge:
    """Return the function from images to probabilities that a Keras model is."""
    step = tf.function(lambda images: model(images, training=False), reduce_retracing=True)
    return lambda images: step(tf.constant(images)).numpy()


def require_float32_is_the_model(saved: np.ndarray, rebuilt: np.ndarray) -> None:
    """Check that a model answers in float32 as in the precision that it was trained in, but for rounding.

    Args:
        saved: The probabilities of the model as it was saved, [N, K].
        rebuilt: Those of the model in float32, [N, K].

    Raises:
        Differs: more than `MOVED` of the probability goes to other classes, on average.
    """
    moved = float(np.abs(saved - rebuilt).sum(axis=1).mean() / 2)
    if not moved <= MOVED:
        raise Differs(
            f"expected the model in float32 to answer as the saved one, but for at most {MOVED} of the"
            f" probability on average; received {moved:.4f}"
        )


def require_classes(expected: Sequence[str], received: Sequence[str]) -> None:
    """Check that the files of an export name the model's classes in their order.

    Raises:
        Differs: they do not.
    """
    if list(received) != list(expected):
        raise Differs(f"expected the classes {', '.join(expected)}; the export has {', '.join(received)}")


def require_same(expected: np.ndarray, received: np.ndarray, what: str) -> float:
    """Check the probabilities of an export.

    Args:
        expected: Those of the Keras model in float32, [N, K].
        received: Those of the export, [N, K].
        what: What they are of, for the error message.

    Returns:
        The largest difference.

    Raises:
        Differs: a probability is more than `TOLERANCE` away, or a class of a margin over `MARGIN` is another.
    """
    if received.shape != expected.shape:
        raise Differs(f"{what}: expected probabilities {expected.shape}, received {received.shape}")
    largest = float(np.abs(expected - received).max())
    if not largest <= TOLERANCE:
        raise Differs(
            f"{what}: expected the model's probabilities to {TOLERANCE:g}, received some that are"
            f" {largest:.2g} away"
        )
    second, first = np.sort(expected, axis=1)[:, -2:].T if expected.shape[1] > 1 else (0, expected[:, 0])
    others = (expected.argmax(axis=1) != received.argmax(axis=1)) & (first - second > MARGIN)
    if others.any():
        raise Differs(f"{what}: expected the model's classes, received others for {others.sum()} images")
    return largest


def require_accuracy(judges: tuple[Judge, Judge], split: tfrecord.Split) -> Accuracies:
    """Check the accuracy of an export on all test images.

    Args:
        judges: The Keras model in float32, and the export.
        split: The test split.

    Raises:
        Differs: the export loses more than `LOST_ACCURACY`.
    """
    right, total = np.zeros(2), split.manifest.count
    with progress.bar(total, "testing", "images") as bar:
        for images, labels, _ in split.batches(split.batch_size(BATCH)):
            batch = images.numpy().astype(np.float32)
            right += [np.sum(judge(batch).argmax(axis=1) == labels.numpy()) for judge in judges]
            bar.update(len(batch))
    found = Accuracies(model=float(right[0] / total), exported=float(right[1] / total), images=total)
    if found.model - found.exported > LOST_ACCURACY:
        raise Differs(
            f"expected to lose at most {LOST_ACCURACY} of the accuracy {found.model:.4f} on"
            f" {found.images:,} test images, received {found.exported:.4f}"
        )
    return found
