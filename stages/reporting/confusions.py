"""Which classes are taken for which, in words and as a table."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from stages.reporting import markdown

SHARE_DECIMALS = 4
MOST = 10  # pairs


class Pair(NamedTuple):
    """Images of the class `actual` that are taken for `predicted`."""

    actual: int
    predicted: int
    images: int


def pairs(counts: np.ndarray) -> list[Pair]:
    """Every pair of classes that is confused, the commonest first; ties in the order of the labels.

    Args:
        counts: int [K, K]; row = actual class, column = predicted class.
    """
    confused = np.argwhere(counts * ~np.eye(len(counts), dtype=bool)).tolist()
    found = [Pair(actual, predicted, int(counts[actual, predicted])) for actual, predicted in confused]
    return sorted(found, key=lambda pair: -pair.images)


def table(counts: np.ndarray, classes: Sequence[str]) -> pd.DataFrame:
    """Columns actual, predicted, images and share of the actual class's images, for DVC's plot.

    Each class with itself comes first, because the plot has the classes in the order in which it meets
    them; then the confused pairs, in the order of the labels. Pairs that are never confused have no row,
    or 1,000 classes would have a million rows.

    Args:
        counts: As `pairs` takes them.
        classes: K names.
    """
    right = [Pair(label, label, int(counts[label, label])) for label in range(len(classes))]
    of_class = np.maximum(counts.sum(axis=1), 1)
    rows = [
        (classes[actual], classes[predicted], images, round(images / of_class[actual], SHARE_DECIMALS))
        for actual, predicted, images in [*right, *sorted(pairs(counts))]
    ]
    return pd.DataFrame(rows, columns=["actual", "predicted", "images", "share"])


def text(counts: np.ndarray, classes: Sequence[str]) -> str:
    """The ten commonest confusions as sentences and as a table.

    Args:
        counts: As `pairs` takes them.
        classes: K names.
    """
    found, total = pairs(counts), int(counts.sum())
    if not found:
        return f"# Confused classes\n\nNone of the {total:,} test images is taken for another class.\n"
    names = list(map(markdown.name, classes))
    of_class = counts.sum(axis=1)
    wrong = sum(pair.images for pair in found)
    which = "All pairs" if len(found) <= MOST else f"The commonest {MOST} of {len(found):,} pairs"
    lines = [
        "# Confused classes",
        "",
        f"{wrong:,} of the {total:,} test images ({_percent(wrong, total)}) are taken for another class."
        f" {which} of classes:",
        "",
    ]
    rows = [
        "",
        "| actual | taken for | images | of the class | share | the other way round |",
        "|---|---|--:|--:|--:|--:|",
    ]
    for actual, predicted, images in found[:MOST]:
        size, share = of_class[actual], _percent(images, of_class[actual])
        times = "once" if images == 1 else f"{images:,} times"
        lines.append(f"- {names[actual]} is taken for {names[predicted]} {times} of {size:,} ({share})")
        back = counts[predicted, actual]
        rows.append(f"| {names[actual]} | {names[predicted]} | {images:,} | {size:,} | {share} | {back:,} |")
    return "\n".join([*lines, *rows]) + "\n"


def _percent(part: int, whole: int) -> str:
    return f"{part / whole * 100:.1f} %"
