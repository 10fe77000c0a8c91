"""Intervals of what is a mean over classes: the test images drawn again and again, with replacement.

Each class's images are drawn apart, as many as there are of it. So no class is missing in any draw, and a
mean over classes is one over the same classes in all. The intervals cover the luck of drawing these images of
each class; how common the classes are is taken as given. Source: Efron and Tibshirani, "An Introduction to
the Bootstrap", 1993, the percentile interval.
"""

from collections.abc import Iterator

import numpy as np

SEED = 0
MOST, FEWEST = 1000, 200  # draws
WORK = 2_000_000_000  # images times classes times draws above which there are fewer draws
AT_ONCE = 20_000_000  # images times draws in memory
CONFIDENCE = 0.95  # of the intervals


def draws(images: int, classes: int) -> int:
    """Return the number of draws for so many images and classes."""
    return int(np.clip(WORK // max(images * classes, 1), FEWEST, MOST))


def weights(actual: np.ndarray, classes: int) -> Iterator[np.ndarray]:
    """Yield how often each image is in each draw, float32 [N, B], in several parts if there are many images.

    The first column of the first part has every image once. Equal labels give equal draws.

    Args:
        actual: Labels, int [N].
        classes: The number of classes, K.
    """
    generator = np.random.default_rng(SEED)
    count = draws(len(actual), classes)
    step = max(1, AT_ONCE // max(len(actual), 1))
    by_class = [np.flatnonzero(actual == label) for label in np.unique(actual)]
    for begin in range(0, count, step):
        part = np.empty((len(actual), min(step, count - begin)), np.float32)
        for places in by_class:
            part[places] = _drawn(generator, len(places), part.shape[1])
        once = np.ones((len(actual), 1), np.float32)
        yield part if begin else np.hstack([once, part])


def _drawn(generator: np.random.Generator, images: int, count: int) -> np.ndarray:
    """Draw as many images as there are, with replacement: how often each comes, int [images, count]."""
    chosen = generator.integers(images, size=(count, images))
    numbered = chosen + images * np.arange(count)[:, np.newaxis]
    return np.bincount(numbered.ravel(), minlength=count * images).reshape(count, images).T


def interval(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the bounds of the 95 % interval of a measure of each draw, float [..., B]: float [...] each."""
    outside = (1 - CONFIDENCE) / 2
    low, high = np.quantile(values, [outside, 1 - outside], axis=-1)
    return low, high
