"""Are images of 90 % confidence right 90 % of the time? Confidence is the largest probability."""

from typing import NamedTuple

import numpy as np
from scipy import special


class Bins(NamedTuple):
    """B bins of equal width over the confidences 0..1; an image of confidence 1 is in the last."""

    images: np.ndarray  # int [B]
    right: np.ndarray  # int [B], how many of them the model has right
    confidence: np.ndarray  # float64 [B], summed over the images
    variance: np.ndarray  # float64 [B], of `right`, if every image were right as often as its confidence says


def bins(actual: np.ndarray, probabilities: np.ndarray, count: int) -> Bins:
    """Sort images into bins by confidence.

    Args:
        actual: Labels, int [N].
        probabilities: float [N, K].
        count: Number of bins.
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == actual
    bin_of = np.minimum((confidence * count).astype(int), count - 1)

    def total(weights: np.ndarray) -> np.ndarray:
        return np.bincount(bin_of, weights=weights, minlength=count)

    return Bins(
        np.bincount(bin_of, minlength=count),
        total(right).astype(int),
        total(confidence),
        total(np.clip(confidence * (1 - confidence), 0, None)),
    )


def error(found: Bins) -> float:
    """Expected calibration error (Guo et al., arXiv:1706.04599).

    The mean distance between confidence and accuracy over the bins, weighted by the share of images
    in each.
    """
    return float(np.abs(found.confidence - found.right).sum() / found.images.sum())


def error_by_chance(found: Bins) -> float:
    """About the calibration error that these confidences would have if they were true.

    In a finite bin the share that is right strays from the confidence; by how much on average follows
    from its variance, taking its distribution for normal.
    """
    return float(np.sqrt(2 / np.pi * found.variance).sum() / found.images.sum())


def undone(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Return the probabilities that a classifier would give without its temperature, float64 [N, K].

    Args:
        probabilities: float [N, K].
        temperature: The temperature that its logits are divided by.
    """
    least = np.finfo(np.float32).tiny
    return special.softmax(np.log(np.maximum(probabilities, least, dtype=np.float64)) * temperature, axis=1)
