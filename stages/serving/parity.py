"""Run an export at once and compare it with the Keras model: it is no export if it answers otherwise."""

import io
from collections.abc import Callable, Sequence
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from PIL import Image, ImageColor

from stages.decoding import picture, resizing
from stages.explaining import predictions
from stages.inputs import manifest, tfrecord
from stages.running import errors, progress
from stages.serving import runner

IMAGES = 256  # of the test split
BATCH = 32  # images at a time
TOLERANCE = 1e-4  # of a probability
MARGIN = 1e-3  # between the two highest probabilities; below it, rounding may decide about the class
LOST_ACCURACY = 0.01  # at most, of int8
MOVED = 0.1  # at most, of the probability of an image, on average: what float32 may differ from bfloat16
PICTURES = 12
LEVELS = 1.0  # at most, between the pixels of the two ways from a picture to an image, on average

Judge = Callable[[np.ndarray], np.ndarray]  # from images, float32 [B, H, W, C], to probabilities, float32 [B, K]


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
        Differs: a probability differs by more than `TOLERANCE`, or a class does whose margin is over `MARGIN`.
    """
    if received.shape != expected.shape:
        raise Differs(f"{what}: expected probabilities {expected.shape}, received {received.shape}")
    largest = float(np.abs(expected - received).max())
    if not largest <= TOLERANCE:
        raise Differs(
            f"{what}: expected the model's probabilities to {TOLERANCE:g}, received a difference of {largest:.2g}"
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
    right = np.zeros(2)
    with progress.bar(split.manifest.count, "testing", "images") as bar:
        for images, labels, _ in split.batches(split.batch_size(BATCH)):
            batch = images.numpy().astype(np.float32)
            right += [np.sum(judge(batch).argmax(axis=1) == labels.numpy()) for judge in judges]
            bar.update(len(batch))
    found = Accuracies(*(right / split.manifest.count).tolist(), split.manifest.count)
    if found.model - found.exported > LOST_ACCURACY:
        raise Differs(
            f"expected to lose at most {LOST_ACCURACY} of the accuracy {found.model:.4f} on"
            f" {found.images:,} test images, received {found.exported:.4f}"
        )
    return found


def require_pictures(
    judge: Judge, received: runner.Pictures, images: np.ndarray, form: manifest.Form, classes: Sequence[str]
) -> float:
    """Check what an export makes of the bytes of pictures: PNG files of test images at other sizes.

    Args:
        judge: The Keras model in float32.
        received: What the export makes of pictures.
        images: uint8 [N, H, W, C].
        form: How pictures became the training images.
        classes: The names of the model's classes.

    Returns:
        The mean difference of the pixels from those that the pipeline makes of the files, in levels.

    Raises:
        Differs: the pixels, the probabilities of these pixels, or the classes differ.
    """
    files = [_encoded(image, number) for number, image in enumerate(images[:PICTURES])]
    background = ImageColor.getrgb(form.background)[:3]
    colours = picture.Colours(images.shape[-1], background)
    size, policy = images.shape[1:3], form.resize
    expected = np.stack(
        [resizing.resize(picture.decode(file, colours), size, policy, background) for file in files]
    )
    pixels = received.images(files)
    away = float(np.abs(expected.astype(float) - pixels).mean(axis=(1, 2, 3)).max())
    if not away <= LEVELS:
        raise Differs(
            f"pictures: expected the pixels of the pipeline's resizing ({policy}) to {LEVELS:g} level on"
            f" average, received {away:.2f}"
        )
    probabilities = received.probabilities(files)
    require_same(judged(judge, pixels), probabilities, "pictures")
    require_classes([classes[label] for label in probabilities.argmax(axis=1)], received.classes(files))
    return away


def _encoded(image: np.ndarray, number: int) -> bytes:
    """Encode an image as a PNG file that is larger or smaller, wide or high."""
    height, width = image.shape[:2]
    down, across = [(1.5, 1), (1, 2.2), (3.1, 2.7), (0.7, 0.9)][number % 4]
    resized = resizing.resize(image, (max(1, int(height * down)), max(1, int(width * across))), "squash")
    buffer = io.BytesIO()
    Image.fromarray(resized[..., 0] if resized.shape[-1] == 1 else resized).save(buffer, "PNG")
    return buffer.getvalue()
