"""How well each class's probability ranks its images before all others, at every threshold at once."""

from typing import NamedTuple

import numpy as np
from scipy import sparse

KINDS = 3  # of what is between two images of the class: others ranked between, others tied, the class's own


class Ranked(NamedTuple):
    """One measure of ranking for each class and each weighting of the images: float64 [K, B].

    A class that has no image, or all of them, is NaN: it has no rank against the rest.
    """

    average_precision: np.ndarray
    roc_auc: np.ndarray


def by_class(actual: np.ndarray, probabilities: np.ndarray, weights: np.ndarray) -> Ranked:
    """Measure the ranking by each class's probability, the class against the rest.

    With weights of 1 the values are those of scikit-learn's `average_precision_score` and `roc_auc_score`,
    equal probabilities included. Here many weightings share one sort.

    Args:
        actual: Labels, int [N], in 0..K-1.
        probabilities: float [N, K].
        weights: float32 [N, B], whole numbers from 0; how often each image counts.
    """
    columns = probabilities.T
    found = [_of_class(actual == label, column, weights) for label, column in enumerate(columns)]
    return Ranked(*(np.stack(each) for each in zip(*found, strict=True)))


def _of_class(is_own: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute average precision and the area under the ROC curve of one class, float64 [B] each."""
    if is_own.all() or not is_own.any():
        nothing = np.full(weights.shape[1], np.nan)
        return nothing, nothing
    levels = np.unique(scores[is_own])[::-1]  # the class's probabilities, the highest first
    place = np.searchsorted(-levels, -scores)  # of the first level that an image reaches
    is_tied = np.append(levels, np.nan)[place] == scores
    row = KINDS * place + is_tied + is_own  # an own one is tied
    shape = KINDS * (len(levels) + 1), len(scores)
    entries = np.ones(len(scores), np.float32), (row, np.arange(len(scores)))
    summed = (sparse.csr_matrix(entries, shape) @ weights).reshape(-1, KINDS, weights.shape[1])
    between, tied, own = summed.astype(np.float64).transpose(1, 0, 2)
    own_above, others_above = np.cumsum(own, axis=0), np.cumsum(between + tied, axis=0)
    precision = own_above / np.maximum(own_above + others_above, 1)
    below = others_above[-1] - others_above + tied / 2
    own_total = own_above[-1]
    return (own * precision).sum(axis=0) / own_total, (own * below).sum(axis=0) / own_total / others_above[-1]
