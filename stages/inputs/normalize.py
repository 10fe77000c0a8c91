"""Fit the constants that bring pixels to a common scale: (pixel - mean) / std, per channel."""

from collections.abc import Callable, Iterable

import numpy as np

Constants = tuple[list[float], list[float]]  # mean and standard deviation per channel, of 0..255
DECIMALS = 4


def standardize(batches: Iterable[np.ndarray], channels: int) -> Constants:
    """Each channel's own mean and standard deviation, so that it becomes 0 and 1.

    Args:
        batches: uint8 [n, H, W, C] each. Sums are exact integers, whatever the batches.
    """
    count, total, squares = 0, np.zeros(channels, np.int64), np.zeros(channels, np.int64)
    for images in batches:
        values = images.reshape(-1, channels).astype(np.int64)
        count += len(values)
        total += values.sum(axis=0)
        squares += np.square(values).sum(axis=0)
    mean = total / count
    std = np.sqrt(np.maximum(squares / count - mean**2, 1.0))  # a constant channel must not divide by 0
    return [round(float(m), DECIMALS) for m in mean], [round(float(s), DECIMALS) for s in std]


def unit(batches: Iterable[np.ndarray], channels: int) -> Constants:
    """0..255 becomes 0..1."""
    return [0.0] * channels, [255.0] * channels


def none(batches: Iterable[np.ndarray], channels: int) -> Constants:
    """0..255 stays 0..255."""
    return [0.0] * channels, [1.0] * channels


METHODS: dict[str, Callable[[Iterable[np.ndarray], int], Constants]] = {
    "standardize": standardize,
    "unit": unit,
    "none": none,
}
