"""The results of the pipeline in Git: metrics, predictions, the learning history and the environment."""

import json
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from stages.review import project
from stages.running import errors

METRICS, PREDICTIONS = "reports/metrics.json", "reports/predictions.csv"
DATA = "reports/data.json"
HISTORY, ENVIRONMENT = "reports/history.csv", "reports/environment.json"
COLUMNS = ["index", "actual", "predicted", "probability"]
PATH = "path"  # a last column, of own pictures


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


def read(files: project.Read, where: str) -> Results | None:
    """Read the files of `reports/`; None if there is no metrics.json.

    Args:
        files: A function that reads a file of the revision.
        where: The revision in words, for error messages.

    Raises:
        errors.BadInput: a file is damaged.
    """
    metrics = _metrics(files(METRICS), f"{METRICS} of {where}")
    if metrics is None:
        return None
    predictions = _predictions(files(PREDICTIONS), f"{PREDICTIONS} of {where}")
    return Results(
        metrics,
        predictions,
        _history(files(HISTORY), f"{HISTORY} of {where}"),
        _json(files(ENVIRONMENT), f"{ENVIRONMENT} of {where}"),
        _classes(_json(files(DATA), f"{DATA} of {where}"), predictions),
    )


def _json(content: bytes | None, where: str) -> dict | None:
    if content is None:
        return None
    try:
        value = json.loads(content)
    except ValueError as error:
        raise errors.BadInput(f"{where}: expected JSON, received {_start(content)}: {error}") from error
    if not isinstance(value, dict):
        raise errors.BadInput(f"{where}: expected a JSON object, received {_start(content)}")
    return value


def _metrics(content: bytes | None, where: str) -> dict | None:
    metrics: Any = _json(content, where)
    if metrics is None:
        return None
    accuracy, images = metrics.get("accuracy"), metrics.get("images")
    if type(accuracy) not in (int, float) or type(images) is not int or not 0 <= accuracy <= 1 or images < 1:
        raise errors.BadInput(
            f"{where}: expected an accuracy in 0..1 and a number of images, received {accuracy!r} and "
            f"{images!r}"
        )
    return metrics


def _predictions(content: bytes | None, where: str) -> pd.DataFrame | None:
    if content is None:
        return None
    table = _csv(content, where)
    if list(table) not in (COLUMNS, [*COLUMNS, PATH]):
        raise errors.BadInput(f"{where}: expected the columns {COLUMNS}, received {list(table)}")
    if table.empty:
        raise errors.BadInput(f"{where}: expected a row for each test image, received none")
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
            raise errors.BadInput(
                f"{where}: expected {expected}, received {','.join(table.iloc[line - 2])!r} in line {line}"
            )
    return table.assign(index=table["index"].astype(np.int64), probability=probability)


def _classes(data: dict | None, predictions: pd.DataFrame | None) -> list[str]:
    """Return the classes that the data report names, then those that only predictions name, each in order."""
    named = (data or {}).get("classes")
    first = [name for name in named if isinstance(name, str)] if isinstance(named, list) else []
    seen = [] if predictions is None else [*predictions["actual"], *predictions["predicted"]]
    return list(dict.fromkeys([*first, *seen]))


def _history(content: bytes | None, where: str) -> pd.DataFrame | None:
    if content is None:
        return None
    try:
        table = _csv(content, where).replace("", "nan").astype(float)
    except ValueError as error:
        raise errors.BadInput(f"{where}: expected numbers, received a damaged table: {error}") from error
    if not {"epoch", "loss", "accuracy"} <= set(table):
        raise errors.BadInput(
            f"{where}: expected the columns epoch, loss and accuracy, received {list(table)}"
        )
    return table


def _csv(content: bytes, where: str) -> pd.DataFrame:
    """Read a table without interpreting its texts: a class may be called NA."""
    try:
        table = pd.read_csv(BytesIO(content), dtype=str, keep_default_na=False, na_filter=False)
    except ValueError as error:  # base of all that pandas raises for empty, ragged and undecodable files
        said = str(error).strip()
        raise errors.BadInput(f"{where}: expected a table, received {_start(content)}: {said}") from error
    if not isinstance(table.index, pd.RangeIndex):  # pandas takes surplus columns as names of the rows
        raise errors.BadInput(f"{where}: expected a table, received more values than columns {list(table)}")
    return table


def _start(content: bytes) -> str:
    return repr(content[:40].decode(errors="replace"))
