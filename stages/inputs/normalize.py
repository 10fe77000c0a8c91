"""Fit the constants that bring pixels to a common scale: (pixel - mean) / std, per channel."""

import functools
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

Constants = tuple[list[float], list[float]]  # mean and standard deviation per channel, of pixels 0..255
DECIMALS = 4


class Sums(NamedTuple):
    """Exact sums over pixels, which can be added up in any order."""

    pixels: int
    total: np.ndarray  # int64 [C]
    squares: np.ndarray  # int64 [C]

    def add(self, other: "Sums") -> "Sums":
        """Return the sums over the pixels of both."""
        return Sums(self.pixels + other.pixels, self.total + other.total, self.squares + other.squares)


def none_yet(channels: int) -> Sums:
    """Return the sums over no pixels."""
    return Sums(0, np.zeros(channels, np.int64), np.zeros(channels, np.int64))


def sums(images: np.ndarray) -> Sums:
    """Add up the pixels, and their squares, of images, uint8 [n, H, W, C]."""
    count, height, width, channels = images.shape
    # Adding up over images, or over the rows of few, reads memory in long runs: it is 10 times as fast.
    run = width * channels * (height if count >= height else 1)
    values = images.reshape(-1, run)
    squares = _by_channel(np.square(values, dtype=np.uint16), channels)  # 255 squared just fits
    return Sums(values.size // channels, _by_channel(values, channels), squares)


def standardized(over_all: Sums) -> Constants:
    """Return the mean and standard deviation of each channel, which become 0 and 1 by normalization."""
    mean = over_all.total / over_all.pixels
    # A constant channel must not divide by 0.
    std = np.sqrt(np.maximum(over_all.squares / over_all.pixels - mean**2, 1.0))
    return [round(float(m), DECIMALS) for m in mean], [round(float(s), DECIMALS) for s in std]


def standardize(batches: Iterable[np.ndarray], channels: int) -> Constants:
    """Return the constants of `standardized` for images.

    Args:
        batches: uint8 [n, H, W, C] each. Sums are exact integers, however the images are batched.
        channels: C.
    """
    return standardized(functools.reduce(Sums.add, map(sums, batches), none_yet(channels)))


def _by_channel(values: np.ndarray, channels: int) -> np.ndarray:
    """Return the sums over all pixels of [n, H * W * C] or [n * H, W * C]: int64 [C]."""
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
