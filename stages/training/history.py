"""The learning curves' numbers: a row per epoch, in a CSV file."""

from pathlib import Path

import pandas as pd

from stages.running import outputs

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
