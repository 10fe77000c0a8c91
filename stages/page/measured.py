"""The metrics as rows of a table, with their intervals, and beside them those of another revision."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from stages.page import counted
from stages.reporting import markdown

TITLES = {
    "accuracy": "accuracy",
    "top_2_accuracy": "right class among the two most probable",
    "balanced_accuracy": "balanced accuracy: mean of the recall of classes with images",
    "macro.recall": "mean of the classes' recall",
    "macro.precision": "mean of the classes' precision",
    "macro.f1": "mean of the classes' F1",
    "macro.average_precision": "mean of the classes' average precision, each against the rest",
    "macro.roc_auc": "mean of the classes' area under the ROC curve, each against the rest",
    "macro.ranked_classes": "classes in the last two means",
    "above_half.share": "images with a class above 50 %",
    "above_half.precision": "of these right",
    "above_half.recall": "of all images, right above 50 %",
    "loss": "loss (negative log-likelihood, nats)",
    "calibration_error": "expected calibration error",
    "uncalibrated.loss": "loss before calibration",
    "uncalibrated.calibration_error": "expected calibration error before calibration",
    "selective.target": "wanted precision of the sure answers",
    "selective.threshold": "confidence that this takes",
    "selective.answered": "images answered with this confidence",
    "selective.precision": "of these answers right",
    "images": "test images",
    "parameters": "parameters of the network",
}
OF_ALL_IMAGES = (
    "accuracy",
    "top_2_accuracy",
    "above_half.share",
    "above_half.recall",
    "selective.answered",
)
BOUNDS = "_low", "_high"  # what the names of an interval's ends end in; they have no rows of their own
SHARES = (
    *OF_ALL_IMAGES,
    "above_half.precision",
    "macro.recall",
    "macro.precision",
    "macro.f1",
    "macro.average_precision",
    "macro.roc_auc",
    "balanced_accuracy",
    "selective.target",
    "selective.precision",
)


class Row(NamedTuple):
    """A metric, in words and as text."""

    title: str
    value: str
    interval: str  # at 95 %; empty where none is known
    before: str  # in another revision; empty if there is none


def rows(metrics: Mapping[str, Any], before: Mapping[str, Any] | None) -> list[Row]:
    """Return the metrics in the order of their weight, and after them those of other names.

    Args:
        metrics: As the evaluate stage writes them, mappings inside included.
        before: Those of another revision; None if there is none.
    """
    values, earlier = dict(_numbers(metrics)), dict(_numbers(before or {}))
    names = [*(name for name in TITLES if name in values), *sorted(values.keys() - TITLES.keys())]
    images = metrics["images"]
    return [
        Row(
            TITLES.get(name, name),
            _text(name, values[name]),
            _interval(name, values, images),
            _text(name, earlier[name]) if name in earlier else "",
        )
        for name in names
        if not _is_bound(name, values)
    ]


def percent(share: counted.Share | None) -> tuple[str, str]:
    """Return a share and the bounds of its interval as text; a dash and no bounds for a share of no image."""
    if share is None:
        return "-", ""
    return markdown.percent(share.share), f"{100 * share.low:.2f} to {100 * share.high:.2f}"


def _numbers(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _numbers(value, f"{prefix}{key}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield f"{prefix}{key}", value


def _text(name: str, value: float) -> str:
    return markdown.percent(value) if name in SHARES else markdown.value(value)


def _is_bound(name: str, values: Mapping[str, float]) -> bool:
    return any(name.endswith(bound) and name.removesuffix(bound) in values for bound in BOUNDS)


def _interval(name: str, values: Mapping[str, float], images: int) -> str:
    if name in OF_ALL_IMAGES:
        share = values[name]
        return percent(counted.share(round(share * images), images))[1] if 0 <= share <= 1 else ""
    low, high = (values.get(f"{name}{bound}") for bound in BOUNDS)
    if name not in SHARES or low is None or high is None:
        return ""
    return f"{100 * low:.2f} to {100 * high:.2f}"
