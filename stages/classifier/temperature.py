"""Make a classifier's probabilities true by dividing its logits by a temperature.

Source: Guo et al., "On Calibration of Modern Neural Networks", 2017, arXiv:1706.04599.
"""

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from scipy import optimize, special

from stages.classifier import provenance

Method = Literal["temperature", "none"]
DIGITS = 6  # significant digits of a temperature, so that its last bits do not matter
RANGE = 5.0  # of the logarithm of a temperature, in both directions
PRIOR = 1.0  # standard deviation of the logarithm of a temperature, before any image is seen


def layer() -> keras.layers.Rescaling:
    """Return a layer that gives logits as they are, until `apply` makes it divide them by a temperature."""
    return keras.layers.Rescaling(1.0, dtype="float32", name="temperature")


def apply(layer: keras.layers.Rescaling, found: provenance.Calibration) -> None:
    """Let a layer of `layer` divide by the temperature that was found."""
    layer.scale = 1 / found.temperature


class Seen(NamedTuple):
    """The logits of N images."""

    logits: np.ndarray  # float32 [N, K]
    labels: np.ndarray  # int [N]


def logits(model: keras.Model, batches: Iterable[Any]) -> Seen:
    """Compute the logits of all images.

    Args:
        model: From uint8 images [B, H, W, C] to logits, float32 [B, K].
        batches: Images, labels, positions.
    """
    step = tf.function(lambda images: model(images, training=False), reduce_retracing=True)
    parts = [(step(images).numpy(), labels.numpy()) for images, labels, _ in batches]
    found, labels = zip(*parts, strict=True)
    return Seen(np.concatenate(found), np.concatenate(labels))


def calibrate(
    method: Method, layer: keras.layers.Rescaling, seen: Seen | None
) -> provenance.Calibration | None:
    """Calibrate a layer of `layer` on the images that were seen; None if that is not wanted or cannot be."""
    if method == "none":
        return None
    if seen is None:
        print("the probabilities are not calibrated: there are no validation images")
        return None
    found = fit(seen)
    apply(layer, found)
    changed = f"from {found.log_loss_before:.4f} to {found.log_loss:.4f}"
    print(f"calibrated: temperature {found.temperature:.3f}, validation log loss {changed}")
    return found


def fit(seen: Seen) -> provenance.Calibration:
    """Find the temperature with the least log loss.

    The logarithm of the temperature has a normal distribution in advance. It keeps few images, of which all
    may be right, from a temperature near 0; hundreds outweigh it.
    """
    count = len(seen.labels)

    def cost(log_temperature: float) -> float:
        return _log_loss(seen, np.exp(log_temperature)) + (log_temperature / PRIOR) ** 2 / (2 * count)

    found = optimize.minimize_scalar(cost, bounds=(-RANGE, RANGE), method="bounded", options={"xatol": 1e-8})
    temperature = _rounded(np.exp(found.x))
    return provenance.Calibration(
        temperature=temperature,
        log_loss=_rounded(_log_loss(seen, temperature)),
        log_loss_before=_rounded(_log_loss(seen, 1.0)),
        images=count,
    )


def judged(seen: Seen | None, found: provenance.Calibration | None) -> tuple[np.ndarray, np.ndarray]:
    """Return labels, int [N], and probabilities, float64 [N, K], of the images; of none, N is 0."""
    if seen is None:
        return np.zeros(0, int), np.zeros((0, 2))
    divisor = 1.0 if found is None else found.temperature
    return seen.labels, special.softmax(seen.logits.astype(np.float64) / divisor, axis=1)


def _log_loss(seen: Seen, temperature: float) -> float:
    scores = special.log_softmax(seen.logits.astype(np.float64) / temperature, axis=1)
    return float(-scores[np.arange(len(seen.labels)), seen.labels].mean())


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
