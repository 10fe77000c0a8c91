"""Measures that count every class alike, however many images it has, with intervals."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from scipy import sparse

from stages.reporting import ranking, resampled


class Averages(NamedTuple):
    """Measures of one model on one split, and of the same in B draws of its images; see `resampled`.

    The first column has the measure itself, the others have those of the draws. NaN is what has no value.
    """

    recall: np.ndarray  # float64 [K, 1 + B]; NaN of a class without images
    f1: np.ndarray  # float64 [K, 1 + B]; 0 of a class without images
    average_precision: np.ndarray  # float64 [K, 1 + B]; see `ranking`
    roc_auc: np.ndarray  # float64 [K, 1 + B]


class Estimate(NamedTuple):
    """A measure with the bounds of its 95 % interval."""

    value: float
    low: float
    high: float


def measure(actual: np.ndarray, probabilities: np.ndarray) -> Averages:
    """Measure a model.

    Args:
        actual: Labels, int [N], in 0..K-1.
        probabilities: float [N, K].
    """
    parts = [_of(actual, probabilities, part) for part in resampled.weights(actual, probabilities.shape[1])]
    return Averages(*(np.concatenate(each, axis=1) for each in zip(*parts, strict=True)))


def _of(actual: np.ndarray, probabilities: np.ndarray, weights: np.ndarray) -> Averages:
    classes, predicted = probabilities.shape[1], probabilities.argmax(axis=1)
    right = predicted == actual
    images, taken = (_by_class(labels, weights, classes) for labels in (actual, predicted))
    found = _by_class(actual[right], weights[right], classes)
    recall = np.divide(found, images, out=np.full_like(found, np.nan), where=images > 0)
    f1 = 2 * found / np.maximum(images + taken, 1)
    return Averages(recall, f1, *ranking.by_class(actual, probabilities, weights))


def _by_class(labels: np.ndarray, weights: np.ndarray, classes: int) -> np.ndarray:
    """Add up the weights of the images of each label: float64 [K, B]."""
    entries = np.ones(len(labels), np.float32), (labels, np.arange(len(labels)))
    return (sparse.csr_matrix(entries, (classes, len(labels))) @ weights).astype(np.float64)


def mean(by_class: np.ndarray) -> Estimate | None:
    """Average a measure, float64 [K, 1 + B], over the classes that have a value; None if none has."""
    known = by_class[~np.isnan(by_class[:, 0])]
    return _estimate(known.mean(axis=0)) if len(known) else None


def each(by_class: np.ndarray) -> Iterable[Estimate | None]:
    """Give a measure, float64 [K, 1 + B], of each class; None where it has no value."""
    return [None if np.isnan(values[0]) else _estimate(values) for values in by_class]


def _estimate(values: np.ndarray) -> Estimate:
    low, high = resampled.interval(values[1:])
    return Estimate(float(values[0]), float(low), float(high))
