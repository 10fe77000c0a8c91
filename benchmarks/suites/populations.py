"""Answers of trainings with a known truth: which test images each training of two sides has right.

A training has an image right if a sum of normal variables is positive: how easy the image is, how easy it
is for this side, how good the seed is, and the rest, whose standard deviation is 1. So the mean accuracy over
all seeds and images is known exactly, and with it the true difference of two sides.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy import stats

AT_ONCE = 2_000_000  # answers of both sides that are drawn together


class Population(NamedTuple):
    """All seeds and test images of a problem; standard deviations are in those of the rest."""

    name: str
    images: int  # of a test split
    accuracy: float  # mean of the base, a share in 0..1
    image: float  # standard deviation between images, for both sides
    change: float  # between images, for each side by itself: what a change does to single images
    seed: float  # between seeds
    seed_of_head: float  # the same of the head


def answers(
    population: Population, difference: float, trainings: int, pairs: int, generator: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield pairs of sides.

    Args:
        population: What they are drawn from.
        difference: The true difference of the mean accuracies, head - base.
        trainings: The number of trainings of each side.
        pairs: The number of pairs.
        generator: Decides.

    Yields:
        The answers of base and of head, each bool [TRAININGS, IMAGES], True where right.
    """
    at_once = max(AT_ONCE // (2 * trainings * population.images), 1)
    for first in range(0, pairs, at_once):
        count = min(at_once, pairs - first)
        easy = _normal(generator, (count, 1, population.images), population.image)
        sides = []
        for accuracy, seed in (
            (population.accuracy, population.seed),
            (population.accuracy + difference, population.seed_of_head),
        ):
            spread = np.sqrt(1 + population.image**2 + population.change**2 + seed**2)
            margin = _normal(generator, (count, trainings, population.images), 1.0)
            margin += easy + _normal(generator, (count, 1, population.images), population.change)
            margin += _normal(generator, (count, trainings, 1), seed)
            sides.append(margin > -stats.norm.ppf(accuracy) * spread)
        yield from zip(*sides, strict=True)


def _normal(generator: np.random.Generator, shape: tuple[int, ...], deviation: float) -> np.ndarray:
    return generator.standard_normal(shape, dtype=np.float32) * np.float32(deviation)
