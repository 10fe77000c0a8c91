"""The rows of predictions, one per picture, and the files that hold them."""

import csv
import itertools
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from stages.serving import batched

Row = list[Any]  # a value per column; None where there is none

UNKNOWN = "unknown"  # the label of a picture that the model is not sure enough of
GROUP = 10_000  # rows of a Parquet file in memory at a time


class Table:
    """What a row says: a path, the most probable classes with their probabilities, and an error.

    Args:
        classes: K names.
        top: The number of classes of a row, at most K are given.
        least: A row of less confidence has the label UNKNOWN; the probability beside it is still that of the
            most probable class.
    """

    def __init__(self, classes: Sequence[str], top: int, least: float = 0.0):
        self.classes, self.top, self.least = classes, min(top, len(classes)), least

    @property
    def columns(self) -> list[str]:
        """The names of the columns: path, label, probability, label_2, probability_2, ..., error."""
        numbers = ["", *(f"_{place}" for place in range(2, self.top + 1))]
        answers = [f"{kind}{number}" for number in numbers for kind in ("label", "probability")]
        return ["path", *answers, "error"]

    def row(self, path: str, probabilities: np.ndarray | None, error: str) -> Row:
        """Return the row of a picture, whose probabilities are float32 [K] or None with an error.

        The most probable class is the first. A probability is the shortest number that gives its float32.
        """
        if probabilities is None:
            return [path, *[None] * (2 * self.top), error]
        best = np.argsort(-probabilities, kind="stable")[: self.top]
        answers = [(self.classes[place], float(str(probabilities[place]))) for place in best]
        if answers[0][1] < self.least:
            answers[0] = UNKNOWN, answers[0][1]
        return [path, *itertools.chain(*answers), None]


def write_csv(file: TextIO, names: Sequence[str], rows: Iterable[Row]) -> None:
    """Write the names of the columns and the rows as CSV, in UTF-8, each as soon as it is there."""
    table = csv.writer(file, lineterminator="\n")
    table.writerow(names)
    for row in rows:
        table.writerow(map(_writable, row))


def _csv(path: Path, names: Sequence[str], rows: Iterable[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        write_csv(file, names, rows)


def _json_lines(path: Path, names: Sequence[str], rows: Iterable[Row]) -> None:
    with path.open("w", encoding="utf-8", errors="backslashreplace") as file:
        for row in rows:
            file.write(json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False) + "\n")


def _parquet(path: Path, names: Sequence[str], rows: Iterable[Row]) -> None:
    import pyarrow  # takes a fifth of a second
    from pyarrow import parquet

    types = [pyarrow.float64() if name.startswith("probability") else pyarrow.string() for name in names]
    schema = pyarrow.schema(list(zip(names, types, strict=True)))
    with parquet.ParquetWriter(path, schema) as file:
        for group in batched.batched(rows, GROUP):
            values = zip(*(map(_writable, row) for row in group), strict=True)
            arrays = [pyarrow.array(column, kind) for column, kind in zip(values, types, strict=True)]
            file.write_table(pyarrow.Table.from_arrays(arrays, schema=schema))


WRITERS: dict[str, Callable[[Path, Sequence[str], Iterable[Row]], None]] = {
    ".csv": _csv,
    ".jsonl": _json_lines,
    ".parquet": _parquet,
}


def _writable(value: Any) -> Any:
    """Spell out what is not UTF-8 in a name, as \\udce9, so that it can be written."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
