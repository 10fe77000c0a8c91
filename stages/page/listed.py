"""The pictures of a page as values for its script."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from stages.page import against
from stages.review import results


def values(
    rows: pd.DataFrame, encoded: Sequence[str] | None, classes: Sequence[str], base: against.Base | None
) -> Mapping[str, Any]:
    """Return what page.js reads: the classes, and of each picture a list of values, which it names.

    Args:
        rows: n pictures, as `chosen.rows` gives them.
        encoded: Their n thumbnails; None if there are none.
        classes: The names of the head's classes, in the order of the labels.
        base: The revision that is compared with; None if there is none.
    """
    names = list(dict.fromkeys([*classes, *(base.results.classes if base and base.results else [])]))
    label = {name: number for number, name in enumerate(names)}
    columns: list[Any] = [
        rows[results.PATH] if results.PATH in rows else rows["index"],
        rows["actual"].map(label),
        rows["predicted"].map(label),
        rows["probability"],
        [""] * len(rows) if encoded is None else encoded,
    ]
    if base and base.paired is not None:
        columns += [rows["predicted_base"].map(label), rows["probability_base"]]
    pictures = [[_plain(value) for value in row] for row in zip(*columns, strict=True)]
    return {"base": base.name if base else None, "classes": names, "pictures": pictures}


def _plain(value: Any) -> Any:
    """Return a value for JSON: a whole number is no float, and what is missing is null."""
    if isinstance(value, float):
        return None if np.isnan(value) else int(value) if value.is_integer() else value
    return value
