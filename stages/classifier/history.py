"""The learning curves' numbers: a row per epoch, in a CSV file."""

from pathlib import Path

import pandas as pd

from stages.classifier import numbers
from stages.running import errors, outputs

COLUMNS = ["epoch", "learning_rate", "loss", "accuracy"]  # that are always there and have numbers

VALIDATION = ["val_loss", "val_accuracy", "val_above_half_precision", "val_above_half_recall"]  # columns
FORMAT = "%.6g"  # six digits; a learning rate can be small


def write(path: Path, rows: list[dict[str, float]]) -> None:
    """Write the rows that `loop.fit` returned, without the seconds, which differ from run to run.

    The columns of the validation are always there, because DVC's plots name them. Missing values are written
    as nan, which DVC does not draw; it would draw empty ones as 0.
    """
    table = pd.DataFrame(rows).drop(columns="seconds")
    table = table.reindex(columns=[*table, *(name for name in VALIDATION if name not in table)])
    with outputs.file(path) as partial:
        table.to_csv(partial, index=False, lineterminator="\n", float_format=FORMAT, na_rep="nan")


def write_seconds(path: Path, rows: list[dict[str, float]], preparation: float, training: float) -> None:
    """Write as JSON the seconds of each epoch, of what came before the first one, and of all of them."""
    epochs = [row["seconds"] for row in rows]
    outputs.write_json(path, {"epochs": epochs, "preparation": preparation, "training": training})


def read(path: Path) -> pd.DataFrame:
    """Read what `write` wrote, without the columns that have no numbers: those of a missing validation.

    Raises:
        errors.BadInput: the file is missing, or not as `write` writes it.
    """
    table = numbers.read(path)
    lacking = [name for name in COLUMNS if name not in table or table[name].isna().any()]
    if lacking or table["epoch"].tolist() != list(range(1, len(table) + 1)) or table.empty:
        received = ", ".join(map(str, table.columns[:9]))
        raise errors.BadInput(
            f"{path}: expected a row for each epoch from 1 on, with numbers for {', '.join(COLUMNS)};"
            f" received {len(table):,} rows of {received}; {outputs.RERUN}"
        )
    return table.astype({"epoch": int}).dropna(axis="columns", how="all")
