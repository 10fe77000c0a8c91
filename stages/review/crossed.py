"""Decide what a change does to the accuracy, from several trainings of each side: images times trainings.

Every training of a side answers the same test images. So its answers vary in two ways, which are crossed:
another seed gives another model, and other test images would be easier or harder. Radiology has the same
design, with readers in the place of trainings and cases in that of images (Obuchowski and Rockette,
Communications in Statistics, Simulation 24, 1995, 285-308; Gallas, Academic Radiology 13, 2006, 353-362).

The variance of the difference of two mean accuracies has three parts, which a two-way analysis of variance
estimates: between the trainings of a side, between images, and the residual, by which one training gets an
image right that another gets wrong. The residual is in both of the others and is counted once. The degrees
of freedom are Satterthwaite's (Biometrics Bulletin 2, 1946, 110-114). Two choices keep false alarms below
5 % with few seeds, see docs/report.md: sides with equally many trainings share one variance between
trainings, and that is never below what the residual alone explains.
"""

from typing import NamedTuple

import numpy as np
from scipy import stats

from stages.review import comparison

FEWEST = 2  # trainings of a side, below which nothing is known of its spread
POWER = 0.8  # with which a difference is found that counts as detectable
MOST = 100  # trainings of a side that a search for enough of them tries


class Side(NamedTuple):
    """The trainings of one side; accuracies are shares in 0..1."""

    trainings: int
    accuracy: float  # mean
    spread: float  # sample standard deviation between trainings


class Change(NamedTuple):
    """The difference of two mean accuracies, head - base, with what it varies by."""

    base: Side
    head: Side
    low: float  # its 95 % interval, over other seeds and other test images
    high: float
    p: float  # p-value of the null hypothesis that it is zero over all seeds and test images
    seeds: float  # variance of one training's accuracy on these test images
    images: float  # variance of the difference that no number of trainings makes smaller

    @property
    def change(self) -> float:
        """The mean accuracy of head minus that of base."""
        return self.head.accuracy - self.base.accuracy

    @property
    def verdict(self) -> str:
        """The verdict on head: "better", "worse" or "no difference"."""
        if self.p >= comparison.SIGNIFICANCE or self.change == 0:
            return "no difference"
        return "better" if self.change > 0 else "worse"

    def detectable(self, trainings: int) -> float:
        """Return the difference of accuracies that so many trainings a side find in 80 % of cases.

        Args:
            trainings: The number of trainings of each side, at least 2.
        """
        seeds = 2 * self.seeds / trainings
        variance = seeds + self.images
        freedom = _freedom(variance, seeds**2 / (2 * (trainings - 1)))
        both = stats.t.ppf(1 - comparison.SIGNIFICANCE / 2, freedom) + stats.t.ppf(POWER, freedom)
        return float(both * np.sqrt(variance))

    def enough(self, difference: float) -> int | None:
        """Return with how many trainings a side a difference is detectable; None if 100 are too few."""
        return next((n for n in range(FEWEST, MOST + 1) if self.detectable(n) <= abs(difference)), None)


def compare(base: np.ndarray, head: np.ndarray, paired: bool) -> Change:
    """Compare the trainings of two sides.

    Args:
        base: bool [TRAININGS, IMAGES], each at least 2; True where a training of the base is right.
        head: The same of the head, whose numbers may be others.
        paired: Whether both have the same images in the same order.
    """
    sides = _side(base), _side(head)
    counts = np.array([len(base), len(head)])
    between = np.array([side.spread**2 for side in sides])
    residual = np.array([_residual(side) / side.shape[1] for side in (base, head)])
    seeds = _seeds(counts, between, residual) / counts
    images = max(_between_images(base, head, paired) - float((residual / counts).sum()), 0.0)
    variance = float(seeds.sum()) + images
    freedom = _freedom(variance, float((seeds**2 / (counts - 1)).sum()))
    change, error = sides[1].accuracy - sides[0].accuracy, np.sqrt(variance)
    half = float(stats.t.ppf(1 - comparison.SIGNIFICANCE / 2, freedom) * error)
    if error:
        p = float(2 * stats.t.sf(abs(change) / error, freedom))
    else:
        p = 0.0 if change else 1.0
    low, high = max(change - half, -1.0), min(change + half, 1.0)
    return Change(*sides, low, high, p, float((seeds * counts).mean()), images)


def _side(right: np.ndarray) -> Side:
    accuracies = right.mean(axis=1)
    return Side(len(right), float(accuracies.mean()), float(accuracies.std(ddof=1)))


def _residual(right: np.ndarray) -> float:
    """The mean square of what neither the training nor the image explains."""
    trainings, images = right.shape
    by_training, by_image, mean = right.mean(axis=1), right.mean(axis=0), right.mean()
    explained = images * np.sum((by_training - mean) ** 2) + trainings * np.sum((by_image - mean) ** 2)
    total = right.size * mean * (1 - mean)
    return float(max(total - explained, 0.0) / ((trainings - 1) * (images - 1)))


def _seeds(counts: np.ndarray, between: np.ndarray, residual: np.ndarray) -> np.ndarray:
    """The variance of one training's accuracy on each side, float64 [2].

    It is pooled if the sides have equally many trainings. With unequal numbers a side of few trainings that
    vary much would be taken for a steady one.
    """
    if counts[0] == counts[1]:
        return np.full(2, max(between.mean(), residual.mean()))
    return np.maximum(between, residual)


def _between_images(base: np.ndarray, head: np.ndarray, paired: bool) -> float:
    """The variance that the choice of test images gives the difference, with the residual in it."""
    before, after = base.mean(axis=0), head.mean(axis=0)
    if paired:
        return float(np.var(after - before, ddof=1) / len(before))
    return float(np.var(before, ddof=1) / len(before) + np.var(after, ddof=1) / len(after))


def _freedom(variance: float, spent: float) -> float:
    """Satterthwaite's degrees of freedom of a sum of variances.

    `spent` is the sum of each one's square over its own degrees, of which images have so many that they do
    not count.
    """
    return variance**2 / spent if spent else np.inf
