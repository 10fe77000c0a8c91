"""Everything that a test split says of a classifier, measured for the metrics, the card and the pictures."""

from typing import Any

import numpy as np
from sklearn import metrics as counting

from stages.reporting import averages, calibration, metrics, model_card, selective


def measure(
    labels: np.ndarray,
    probabilities: np.ndarray,
    found: averages.Averages,
    classes: list[str],
    bins: int,
    temperature: float | None,
) -> dict[str, Any]:
    """Return the facts of `model_card.Facts` that follow from the answers.

    Args:
        labels: int [N].
        probabilities: float32 [N, K].
        found: What `averages.measure` gives for them.
        classes: The names of the K classes.
        bins: The number of bins of the calibration error.
        temperature: The one that is in the probabilities; None if they are not calibrated.
    """
    predicted = probabilities.argmax(axis=1)
    numbers = metrics.evaluate(labels, probabilities, classes, bins)
    balanced, macro = metrics.over_classes(found)
    numbers |= balanced | {"macro": numbers["macro"] | macro}
    of_classes = metrics.per_class(labels, predicted, classes)
    ranking = metrics.ranking_per_class(found, classes)
    before = None
    if temperature is not None:
        undone = calibration.undone(probabilities, temperature)
        before = calibration.bins(labels, undone, bins)
        numbers["uncalibrated"] = metrics.calibration_of(labels, undone, bins)
    return {
        "metrics": numbers,
        "per_class": {name: of_classes[name] | ranking[name] for name in classes},
        "counts": counting.confusion_matrix(labels, predicted, labels=range(len(classes))),
        "confidence": probabilities.max(axis=1).astype(np.float64),
        "right": labels == predicted,
        "calibration": calibration.bins(labels, probabilities, bins),
        "uncalibrated": before,
    }


def select(
    facts: model_card.Facts, confidence: np.ndarray, right: np.ndarray, target: float
) -> model_card.Facts:
    """Add the confidence above which a precision holds on validation images, and the test answers above it.

    Args:
        facts: What is known of the test split.
        confidence: Of the validation images, float [M].
        right: Whether their predictions are right, bool [M].
        target: The precision.
    """
    threshold = selective.threshold(confidence, right, target)
    on_test = selective.answered(facts.confidence, facts.right, threshold)
    numbers = facts.metrics | {"selective": metrics.selective(target, threshold, on_test)}
    return facts._replace(metrics=numbers, threshold=threshold)
