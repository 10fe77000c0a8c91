"""Decide whether a model is better than another on test images. Right and wrong answers in, a verdict out."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from stages.reporting import wilson

SIGNIFICANCE = 0.05  # significance level of the tests; the intervals cover wilson.CONFIDENCE


class Difference(NamedTuple):
    """The comparison of two accuracies, which are shares in 0..1: of the base and of the head."""

    base: float
    head: float
    low: float  # the interval of head - base
    high: float
    p: float  # p-value of the null hypothesis that both models are equally good
    fixed: int | None  # images that base has wrong and head has right; None if images are not paired
    broke: int | None  # images that base has right and head has wrong; None if images are not paired

    @property
    def change(self) -> float:
        """The accuracy of head minus that of base."""
        return self.head - self.base

    @property
    def verdict(self) -> str:
        """The verdict on head: "better", "worse" or "no difference"."""
        if self.p >= SIGNIFICANCE or self.change == 0:
            return "no difference"
        return "better" if self.change > 0 else "worse"


def paired(base_right: np.ndarray, head_right: np.ndarray) -> Difference:
    """Compare two models on the same images.

    The test is McNemar's exact test: of the images on which only one model is right, a fair coin would give
    each model half (McNemar, Psychometrika 12, 1947). The interval is Newcombe's for paired proportions,
    method 10 (Statistics in Medicine 17, 1998, 2635-2650).

    Args:
        base_right: bool [N], N > 0; True for the images that base has right.
        head_right: bool [N], the same for head, in the same order.
    """
    both, neither = int(np.sum(base_right & head_right)), int(np.sum(~base_right & ~head_right))
    fixed, broke = int(np.sum(~base_right & head_right)), int(np.sum(base_right & ~head_right))
    p = stats.binomtest(fixed, fixed + broke, 0.5).pvalue if fixed + broke else 1.0
    count = len(base_right)
    base, head = both + broke, both + fixed
    margins = np.sqrt(float(head) * (count - head) * base * (count - base))
    association = float(both * neither - fixed * broke)
    if association > 0:
        association = max(association - count / 2, 0.0)
    low, high = _newcombe(base, count, head, count, association / margins if margins else 0.0)
    return Difference(base / count, head / count, low, high, float(p), fixed, broke)


def independent(base_right: int, base_images: int, head_right: int, head_images: int) -> Difference:
    """Compare two models on images that differ.

    The test is Fisher's exact test of two proportions. The interval is Newcombe's hybrid score interval for
    independent proportions, method 10 (Statistics in Medicine 17, 1998, 873-890).

    Args:
        base_right: The number of images that base has right.
        base_images: The number of all images of base, at least 1.
        head_right: The number of images that head has right.
        head_images: The number of all images of head, at least 1.
    """
    counts = [[base_right, base_images - base_right], [head_right, head_images - head_right]]
    p = stats.fisher_exact(counts).pvalue
    low, high = _newcombe(base_right, base_images, head_right, head_images, 0.0)
    return Difference(
        base_right / base_images, head_right / head_images, low, high, float(p), fixed=None, broke=None
    )


def adjust(p_values: Sequence[float]) -> np.ndarray:
    """Adjust p-values for many tests: of those below q, at most a share q is expected to be false.

    The method is the step-up procedure of Benjamini and Hochberg (Journal of the Royal Statistical Society B
    57, 1995, 289-300). If nothing has changed at all, the chance of any value below q is at most q.

    Returns:
        float64 [K], in the order of `p_values`.
    """
    return stats.false_discovery_control(p_values) if p_values else np.empty(0)


def _newcombe(
    base: int, base_images: int, head: int, head_images: int, correlation: float
) -> tuple[float, float]:
    """Combine two Wilson intervals into one of the difference head - base, by square and add."""
    shares = np.array([base / base_images, head / head_images])
    lows, highs = np.transpose([wilson.interval(base, base_images), wilson.interval(head, head_images)])
    below, above = shares - lows, highs - shares
    change = shares[1] - shares[0]
    return (
        float(change - _square_and_add(above[0], below[1], correlation)),
        float(change + _square_and_add(below[0], above[1], correlation)),
    )


def _square_and_add(first: float, second: float, correlation: float) -> float:
    return np.sqrt(max(first**2 - 2 * correlation * first * second + second**2, 0.0))
