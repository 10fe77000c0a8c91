"""Random numbers that depend on what they are for, not on the order in which they are drawn."""

from typing import Any

import numpy as np

_GAMMA = np.uint64(0x9E3779B97F4A7C15)


def uniform(seed: int, view: int, images: np.ndarray, columns: int) -> np.ndarray:
    """Draw numbers in [0, 1) for the given images of one view.

    Each number is a hash of (seed, view, image index, column), by SplitMix64 (Steele, Lea and
    Flood, "Fast splittable pseudorandom number generators", 2014). It is therefore the same however
    images are batched, ordered or spread over processes and machines.

    Args:
        seed: The seed of all numbers.
        view: The number of the view, from 0.
        images: Image indices, int64 [N].
        columns: The number of numbers per image.

    Returns:
        float32 [N, columns].
    """
    with np.errstate(over="ignore"):  # arithmetic modulo 2**64 is the point
        state = _mix(_mix(np.uint64(seed) + _GAMMA) + np.uint64(view))
        state = _mix(state + images.astype(np.uint64) * _GAMMA)
        counters = np.arange(1, columns + 1, dtype=np.uint64) * _GAMMA
        bits = _mix(state[:, np.newaxis] + counters)
    return (bits >> np.uint64(40)).astype(np.float32) * np.float32(2**-24)


def permutation(seed: int, view: int, count: int) -> np.ndarray:
    """Return a random order of `count` images for one view: int64 [count]."""
    return np.random.default_rng([seed, view]).permutation(count)


def _mix(z: Any) -> Any:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
