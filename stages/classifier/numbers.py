"""Tables of numbers that the train stage leaves for later commands, as CSV files."""

import io
from pathlib import Path

import pandas as pd

from stages.running import documents, errors, outputs


def read(path: Path) -> pd.DataFrame:
    """Read a table whose values are all numbers, float64, or missing.

    Raises:
        errors.BadInput: the file is missing, or is no such table.
    """
    try:
        return pd.read_csv(io.BytesIO(documents.read(path)), dtype=float)
    except ValueError as error:  # base of Unfit, and of all that pandas raises for what is no such table
        said = " ".join(str(error).split())
        raise errors.BadInput(f"{path}: expected a table of numbers: {said}; {outputs.RERUN}") from error
