"""The results of the pipeline in Git: metrics, predictions, the learning history and the environment."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from stages.review import revision

METRICS, PREDICTIONS = "reports/metrics.json", "reports/predictions.csv"
DATA = "reports/data.json"
HISTORY, ENVIRONMENT = "reports/history.csv", "reports/environment.json"
COLUMNS = ["index", "actual", "predicted", "probability"]
PATH = "path"  # a last column, of own pictures
LARGEST_MEASURE = 1e30  # in the history; what a curve of larger numbers needs overflows
MOST_CLASSES = 10_000  # by name in predictions; their tests take seconds


class Results(NamedTuple):
    """The results of one revision; None for a file that it does not have."""

    metrics: dict
    predictions: pd.DataFrame | None  # index int64, the texts as they are, probability float64
    history: pd.DataFrame | None
    environment: dict | None
    classes: list[str]  # in the order of the labels, if reports/data.json gives it

    @property
    def images(self) -> int:
        """The number of test images."""
        return self.metrics["images"] if self.predictions is None else len(self.predictions)

    @property
    def right(self) -> int:
        """The number of images that the model has right.

        If it is computed from the four decimals of metrics.json, it is exact for up to 5,000 images.
        """
        if self.predictions is None:
            return round(self.metrics["accuracy"] * self.images)
        return int((self.predictions["actual"] == self.predictions["predicted"]).sum())

    @property
    def accuracy(self) -> float:
        """The share of images that the model has right."""
        return self.right / self.images


def read(files: revision.Revision) -> Results | None:
    """Read the files of `reports/`; None if there is no metrics.json.

    Raises:
        errors.BadInput: a file is damaged.
    """
    metrics = _metrics(files)
    if metrics is None:
        return None
    predictions = _predictions(files)
    return Results(
        metrics,
        predictions,
        _history(files),
        files.json(ENVIRONMENT),
        _classes(files.json(DATA), predictions),
    )


def _metrics(files: revision.Revision) -> dict | None:
    metrics: Any = files.json(METRICS)
    if metrics is None:
        return None
    accuracy, images = metrics.get("accuracy"), metrics.get("images")
    if type(accuracy) not in (int, float) or type(images) is not int or not 0 <= accuracy <= 1 or images < 1:
        received = f"{accuracy!r} and {images!r}"
        raise files.fault(METRICS, "an accuracy in 0..1 and a number of images", received)
    return metrics


def _predictions(files: revision.Revision) -> pd.DataFrame | None:
    table = files.table(PREDICTIONS)
    if table is None:
        return None
    if list(table) not in (COLUMNS, [*COLUMNS, PATH]):
        raise files.fault(PREDICTIONS, f"the columns {COLUMNS}", str(list(table)[:9]))
    if table.empty:
        raise files.fault(PREDICTIONS, "a row for each test image", "none")
    probability = pd.to_numeric(table["probability"], errors="coerce")
    wrong = {
        "a whole number": ~table["index"].str.fullmatch(r"[0-9]{1,18}"),
        "each index once": table["index"].duplicated(),
        "a class name": table["actual"].eq("") | table["predicted"].eq(""),
        "a probability in 0..1": ~probability.between(0, 1),
    }
    for expected, rows in wrong.items():
        if rows.any():
            line = int(np.argmax(rows)) + 2
            received = f"{','.join(table.iloc[line - 2])!r} in line {line}"
            raise files.fault(PREDICTIONS, expected, received)
    classes = len({*table["actual"], *table["predicted"]})
    if classes > MOST_CLASSES:
        raise files.fault(PREDICTIONS, f"at most {MOST_CLASSES:,} classes", f"{classes:,}")
    return table.assign(index=table["index"].astype(np.int64), probability=probability)


def _classes(data: dict | None, predictions: pd.DataFrame | None) -> list[str]:
    """Return the classes that predictions name, in the order of the data report if it names them, too."""
    named = (data or {}).get("classes")
    first = [name for name in named if isinstance(name, str)] if isinstance(named, list) else []
    seen = [] if predictions is None else [*predictions["actual"], *predictions["predicted"]]
    return list(dict.fromkeys([*first, *seen]))


def _history(files: revision.Revision) -> pd.DataFrame | None:
    table = files.table(HISTORY)
    if table is None:
        return None
    columns = list(table)
    if not {"epoch", "loss", "accuracy"} <= set(columns):
        raise files.fault(HISTORY, "the columns epoch, loss and accuracy", str(columns[:9]))
    try:
        numbers = table.replace("", "nan").astype(float)
    except ValueError as error:
        raise files.fault(HISTORY, "numbers", str(error)) from error
    if numbers.abs().gt(LARGEST_MEASURE).any(axis=None):
        raise files.fault(HISTORY, f"numbers up to {LARGEST_MEASURE:g}", "a larger one")
    return numbers
