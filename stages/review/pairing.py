"""Which test images of two revisions are the same, and what both models said of them."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from stages.review import results

SIDES = ("base", "head")


def other_images(base: Mapping[str, Any], head: Mapping[str, Any]) -> str | None:
    """Return why equal positions of test images mean different images; None if they mean the same.

    Positions count the images of one published split.

    Args:
        base: The params of the base.
        head: The params of the head.
    """
    if _setting(base, "download", "dataset") != _setting(head, "download", "dataset"):
        return "the dataset is another"
    if (_setting(base, "subset", "test_fraction") is None) != (
        _setting(head, "subset", "test_fraction") is None
    ):
        return "the test images come from another published split"
    return None


def _setting(params: Mapping[str, Any], section: str, key: str) -> Any:
    values = params.get(section)
    return values.get(key) if isinstance(values, dict) else None


def key(base: pd.DataFrame, head: pd.DataFrame) -> str:
    """Return the column that tells images apart: added pictures move others' positions, not paths."""
    return results.PATH if results.PATH in base and results.PATH in head else "index"


def merged(base: pd.DataFrame, head: pd.DataFrame) -> pd.DataFrame:
    """Join the predictions of the images that both revisions have, with the same actual class.

    Args:
        base: The predictions of the base, as `results.read` gives them.
        head: Those of the head.

    Returns:
        A row for each image in the order of the base, with the columns of both, which end in _base and
        _head, and the bool columns base_right and head_right.
    """
    both = base.merge(head, on=[key(base, head), "actual"], suffixes=("_base", "_head"))
    return both.assign(**{f"{side}_right": both["actual"] == both[f"predicted_{side}"] for side in SIDES})
