"""The probability of every class for every image, in a file that any threshold can be computed from."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow
from pyarrow import parquet

from stages.explaining import predictions


def write(path: Path, judged: predictions.Predictions, classes: Sequence[str]) -> None:
    """Write a Parquet file with a row per image, in the order of the predictions.

    The columns are `index` (int64) and, of own pictures, `path`, as in reports/predictions.csv, and one of
    each class, with the probabilities as the model gives them, in float32. `index` and `path` end in as many
    _ as keep them apart from classes of that name. Equal predictions give equal bytes.

    Args:
        path: The file.
        judged: The predictions for N images.
        classes: K names, in the order of the labels.

    Raises:
        OSError: the disk is full.
    """
    columns = {_apart("index", classes): pyarrow.array(judged.positions.astype(np.int64))}
    if judged.paths is not None:
        columns[_apart("path", classes)] = pyarrow.array(judged.paths.tolist(), pyarrow.string())
    for name, column in zip(classes, judged.probabilities.T, strict=True):
        columns[_writable(name)] = pyarrow.array(np.ascontiguousarray(column, np.float32))
    parquet.write_table(pyarrow.table(columns), path, compression="zstd", use_dictionary=False)


def _apart(name: str, classes: Sequence[str]) -> str:
    while name in classes:
        name += "_"
    return name


def _writable(name: str) -> str:
    """Spell out what is not UTF-8 in a name, as \\udce9, so that it can be written."""
    return name.encode("utf-8", "backslashreplace").decode()
