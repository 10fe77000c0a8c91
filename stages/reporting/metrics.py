"""How good are the predicted probabilities? Arrays in, plain numbers out."""

from typing import Any

import numpy as np
from sklearn.metrics import precision_recall_fscore_support

from stages.reporting import averages, calibration, wilson
from stages.reporting import selective as answers

DECIMALS = 4  # what a reviewer compares; `dvc metrics diff` lists every change, 1e-8 too


def evaluate(
    actual: np.ndarray, probabilities: np.ndarray, classes: list[str], calibration_bins: int
) -> dict:
    """Metrics of one model on one split, rounded, ready for JSON.

    Args:
        actual: Labels, int [N], in 0..K-1.
        probabilities: float [N, K]; rows sum to 1.
        classes: K names.
        calibration_bins: Number of equal-width confidence bins of the calibration error.

    Returns:
        accuracy with its 95 % Wilson interval, loss (mean negative log-likelihood in nats),
        top_2_accuracy, macro averages over the classes (a class with no predictions has precision
        0), the thresholded averages of `above_half`, expected calibration error and the number of images.
    """
    predicted = probabilities.argmax(axis=1)
    precision, recall, f1, _ = _by_class(actual, predicted, classes)
    correct = int(np.sum(predicted == actual))
    low, high = wilson.interval(correct, len(actual))
    return _rounded(
        {
            "accuracy": correct / len(actual),
            "accuracy_low": low,
            "accuracy_high": high,
            "loss": _negative_log_likelihood(actual, probabilities),
            "top_2_accuracy": _top_2_accuracy(actual, probabilities),
            "macro": {"precision": precision.mean(), "recall": recall.mean(), "f1": f1.mean()},
            "above_half": above_half(actual, probabilities),
            "calibration_error": calibration.error(calibration.bins(actual, probabilities, calibration_bins)),
            "images": len(actual),
        }
    )


def calibration_of(actual: np.ndarray, probabilities: np.ndarray, bins: int) -> dict[str, float]:
    """Return the metrics that calibration changes, rounded; see `evaluate`."""
    error = calibration.error(calibration.bins(actual, probabilities, bins))
    return _rounded({"loss": _negative_log_likelihood(actual, probabilities), "calibration_error": error})


def selective(target: float, threshold: float | None, found: answers.Answered) -> dict[str, float]:
    """Describe the answers of at least a confidence, rounded, ready for JSON.

    Args:
        target: The precision that was wanted.
        threshold: The confidence that was picked for it on the validation images; None if there is none.
        found: The test images of at least this confidence.

    Returns:
        target, answered (a share of the images), and if there are any answers, threshold and precision with
        its 95 % interval.
    """
    numbers = {"target": target, "answered": found.share}
    if found.images and threshold is not None:
        low, high = found.interval
        numbers |= {"threshold": threshold, "precision": found.right / found.images}
        numbers |= {"precision_low": low, "precision_high": high}
    return _rounded(numbers)


def per_class(actual: np.ndarray, predicted: np.ndarray, classes: list[str]) -> dict[str, dict[str, float]]:
    """Precision, recall, F1 and the number of images (support) of each class, in the order of the labels.

    Args:
        actual: Labels, int [N], in 0..K-1.
        predicted: Labels, int [N].
        classes: K names.

    Returns:
        By class name, rounded, ready for JSON; the precision of a class that is never predicted is 0.
    """
    columns = zip(
        ("precision", "recall", "f1", "support"), _by_class(actual, predicted, classes), strict=True
    )
    numbers = {column: values.tolist() for column, values in columns}
    return _rounded(
        {name: {column: numbers[column][label] for column in numbers} for label, name in enumerate(classes)}
    )


def over_classes(found: averages.Averages) -> tuple[dict[str, float], dict[str, float]]:
    """Describe the measures that count every class alike, rounded, ready for JSON.

    Returns:
        Two mappings of numbers, each with the bounds of its 95 % interval under names that end in _low and
        _high. The first has balanced_accuracy, the mean recall of the classes that have images. The second
        belongs to the macro averages: f1 is the mean over all classes; average_precision and roc_auc are
        means over as many classes as `ranked_classes` says, those with images that are not all images there
        are, each against the rest, and missing if there are none.
    """
    ranked = averages.mean(found.average_precision), averages.mean(found.roc_auc)
    names = "f1", "average_precision", "roc_auc"
    means = dict(zip(names, (averages.mean(found.f1), *ranked), strict=True))
    macro: dict[str, float] = {"ranked_classes": int((~np.isnan(found.roc_auc[:, 0])).sum())}
    for name, mean in means.items():
        macro |= _named(name, mean)
    return _rounded(_named("balanced_accuracy", averages.mean(found.recall))), _rounded(macro)


def ranking_per_class(found: averages.Averages, classes: list[str]) -> dict[str, dict[str, float]]:
    """Return average_precision and roc_auc of each class against the rest, with intervals, by class name.

    A class with no image, or with all, has neither. All are rounded, ready for JSON.
    """
    columns = averages.each(found.average_precision), averages.each(found.roc_auc)
    return {
        name: _rounded(_named("average_precision", precision) | _named("roc_auc", area))
        for name, precision, area in zip(classes, *columns, strict=True)
    }


def _named(name: str, estimate: averages.Estimate | None) -> dict[str, float]:
    if estimate is None:
        return {}
    return dict(zip((name, f"{name}_low", f"{name}_high"), estimate, strict=True))


def _by_class(actual: np.ndarray, predicted: np.ndarray, classes: list[str]) -> tuple[np.ndarray, ...]:
    """Precision, recall, F1 and number of images, each [K]."""
    labels = np.arange(len(classes))
    return precision_recall_fscore_support(actual, predicted, labels=labels, zero_division=0)


def above_half(actual: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Micro precision and recall of the classes given a probability above one half.

    What `keras.metrics.Precision()` and `Recall()` compute from one-hot labels: an image without such
    a class counts as not found, not as wrong. So precision is the accuracy over the other images, and
    recall at most the accuracy.

    Args:
        actual: Labels, int [N].
        probabilities: float [N, K].

    Returns:
        precision (0 without any prediction above one half), recall, and `share`: of the images, those
        with such a class.
    """
    above_half = probabilities > 0.5
    right = int(above_half[np.arange(len(actual)), actual].sum())
    return {
        "precision": right / max(int(above_half.sum()), 1),
        "recall": right / len(actual),
        "share": above_half.any(axis=1).mean(),
    }


def _negative_log_likelihood(actual: np.ndarray, probabilities: np.ndarray) -> float:
    # scikit-learn's log_loss clips float32 at 1.2e-7 and would favour models that are sure of wrong classes.
    of_actual = probabilities[np.arange(len(actual)), actual].astype(np.float64)
    return float(-np.log(np.maximum(of_actual, np.finfo(np.float32).tiny)).mean())


def _top_2_accuracy(actual: np.ndarray, probabilities: np.ndarray) -> float:
    # Ties go to the lower class, as in argmax; scikit-learn's top_k_accuracy_score gives them to the higher.
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :2]
    return float((best == actual[:, np.newaxis]).any(axis=1).mean())


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    return round(float(value), DECIMALS) if isinstance(value, (float, np.floating)) else value
