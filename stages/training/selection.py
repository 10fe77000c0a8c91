"""Decide which weights are kept: the last ones, unless the best epoch's are better by more than chance.

The best of several epochs on few validation images is often the luckiest one. So two epochs are compared on
the same images by a paired t-test at the 5 % level. For right and wrong answers to many images it is the same
as McNemar's test, which Dietterich recommends for two classifiers ("Approximate statistical tests for
comparing supervised classification learning algorithms", 1998).
"""

import math
from typing import Literal, NamedTuple

import numpy as np
from scipy import stats

from stages.running import errors

Measure = Literal["accuracy", "balanced_accuracy", "loss"]
QUANTILE = 0.975  # of Student's distribution: both sides of a test at the 5 % level


class Judged(NamedTuple):
    """What a network made of each of N validation images."""

    labels: np.ndarray  # int32 [N]
    right: np.ndarray  # int32 [N], 1 where the class with the largest logit is the label, else 0
    losses: np.ndarray  # float32 [N], in nats


def require_images(patience: int | None, count: int) -> None:
    """Check that there are validation images if the training waits for them.

    Raises:
        errors.BadInput: there are none.
    """
    if patience is not None and not count:
        raise errors.BadInput(
            f"train.patience is {patience}, but there are no validation images to wait for; set it to"
            " null, or subset.val_fraction above 0"
        )


def in_words(measure: Measure) -> str:
    """Return the name of a measure in a sentence."""
    return measure.replace("_", " ")


def scores(measure: Measure, judged: Judged) -> np.ndarray:
    """Return a number per image, whose mean is the measure; of the loss it is the negative.

    The balanced accuracy is the mean of the recalls of the classes that have images.

    Returns:
        float64 [N]; more is better.
    """
    if measure == "loss":
        return -judged.losses.astype(np.float64)
    right = judged.right.astype(np.float64)
    if measure == "accuracy":
        return right
    images = np.bincount(judged.labels)
    return right * (len(right) / (np.count_nonzero(images) * images[judged.labels]))


def is_beyond_chance(differences: np.ndarray) -> bool:
    """Return whether the mean of paired differences, float [N], is above 0 by more than chance explains.

    A single image never decides.
    """
    count = len(differences)
    if count < 2:
        return False
    error = differences.std(ddof=1) / math.sqrt(count)
    return bool(differences.mean() > stats.t.ppf(QUANTILE, count - 1) * error)


def is_better(measure: Measure, best: Judged, last: Judged) -> bool:
    """Return whether the best epoch is better than the last one by more than chance explains.

    It is if its measure is, or if its loss is, given a measure that is at least as good as the last one's.
    """
    kinds = dict.fromkeys([measure, "loss"])
    return any(is_beyond_chance(scores(kind, best) - scores(kind, last)) for kind in kinds)
