"""Answer only when sure enough: pick the confidence above which a wanted precision holds.

Source: Geifman and El-Yaniv, "Selective Classification for Deep Neural Networks", 2017, arXiv:1705.08500.
"""

from typing import NamedTuple

import numpy as np

from stages.reporting import wilson


class Answered(NamedTuple):
    """The predictions of at least some confidence."""

    images: int
    right: int
    share: float  # of all images

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the precision, the share of the answers that is right; 0 to 1 of none."""
        return wilson.interval(self.right, self.images) if self.images else (0.0, 1.0)


def threshold(confidence: np.ndarray, right: np.ndarray, precision: float) -> float | None:
    """Return the lowest confidence above which a precision holds, as far as some images can show.

    It holds if the lower end of its 95 % interval reaches it.

    Args:
        confidence: float [N], of images that the model was not trained on.
        right: bool [N].
        precision: The wanted share of right answers.

    Returns:
        The threshold; None if the precision holds at none.
    """
    order = np.argsort(-confidence, kind="stable")
    ranked, found = confidence[order], np.cumsum(right[order])
    is_last_of_equal = np.append(ranked[1:] != ranked[:-1], np.ones(min(1, len(ranked)), bool))
    holds = is_last_of_equal & (wilson.lower_bounds(found, np.arange(1, len(ranked) + 1)) >= precision)
    return float(ranked[holds][-1]) if holds.any() else None


def answered(confidence: np.ndarray, right: np.ndarray, threshold: float | None) -> Answered:
    """Count the images, float [N] and bool [N], of at least a confidence; none if the threshold is None."""
    kept = confidence >= (np.inf if threshold is None else threshold)
    return Answered(int(kept.sum()), int(right[kept].sum()), float(kept.mean()))


def curve(confidence: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the share of answered images and the error among them for every threshold, float [N] each."""
    order = np.argsort(-confidence, kind="stable")
    images = np.arange(1, len(order) + 1)
    return images / len(order), 1 - np.cumsum(right[order]) / images
