"""What the saved model says of the validation images: validation.csv beside it.

Thresholds of the confidence are picked from it.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from stages.classifier import numbers
from stages.running import errors, outputs

FILE = "validation.csv"
COLUMNS = ["label", "predicted", "confidence"]
FORMAT = "%.6f"


class Judged(NamedTuple):
    """The answers for N validation images."""

    right: np.ndarray  # bool [N]
    confidence: np.ndarray  # float64 [N], the probability of the predicted class


def write(folder: Path, labels: np.ndarray, probabilities: np.ndarray) -> None:
    """Write a row for each image into the folder of a model.

    Args:
        folder: The folder.
        labels: int [N].
        probabilities: float [N, K].
    """
    columns = labels, probabilities.argmax(axis=1), probabilities.max(axis=1, initial=0)
    table = pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)))
    table.to_csv(folder / FILE, index=False, lineterminator="\n", float_format=FORMAT)


def read(folder: Path) -> Judged:
    """Read what `write` wrote.

    Raises:
        errors.BadInput: the file is missing, or not as `write` writes it.
    """
    path = folder / FILE
    table = numbers.read(path)
    if list(table) != COLUMNS or not table["confidence"].between(0, 1).all() or table.isna().any(axis=None):
        raise errors.BadInput(
            f"{path}: expected the columns {', '.join(COLUMNS)} with a confidence of 0 to 1, received others;"
            f" {outputs.RERUN}"
        )
    return Judged((table["label"] == table["predicted"]).to_numpy(), table["confidence"].to_numpy())
