"""Which classes are taken for which, in words and as a table."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from stages.reporting import markdown

SHARE_DECIMALS = 4
SHOWN_DECIMALS = 1  # of a percentage
MOST = 10  # pairs
FILES = 3  # of a pair, by name
HEADERS = ["actual", "taken for", "images", "of the class", "share", "the other way round"]


Files = Mapping[tuple[int, int], Sequence[str]]


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
    """Confusions for DVC's plot: columns actual, predicted, images and share of the actual class's images.

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


def text(counts: np.ndarray, classes: Sequence[str], files: Files | None = None) -> str:
    """The ten commonest confusions as sentences and as a table.

    Args:
        counts: As `pairs` takes them.
        classes: K names.
        files: Of own pictures, their paths by actual and predicted label; None for published images.
    """
    found, total = pairs(counts), int(counts.sum())
    if not found:
        return f"# Confused classes\n\nNone of the {total:,} test images is taken for another class.\n"
    wrong = sum(pair.images for pair in found)
    which = "All pairs" if len(found) <= MOST else f"The commonest {MOST} of {len(found):,} pairs"
    items, rows = [], []
    for actual, predicted, images in found[:MOST]:
        names = [markdown.name(classes[label]) for label in (actual, predicted)]
        size, back = counts[actual].sum(), counts[predicted, actual]
        share = markdown.percent(images / size, SHOWN_DECIMALS)
        times = "once" if images == 1 else f"{images:,} times"
        named = _named((files or {}).get((actual, predicted), []))
        items.append(f"- {names[0]} is taken for {names[1]} {times} of {size:,} ({share}){named}")
        rows.append([*names, f"{images:,}", f"{size:,}", share, f"{back:,}"])
    return "\n\n".join(
        [
            "# Confused classes",
            f"{wrong:,} of the {total:,} test images ({markdown.percent(wrong / total, SHOWN_DECIMALS)}) are "
            f"taken for another class. {which} of classes:",
            "\n".join(items),
            markdown.cut(HEADERS, rows, words=2) + "\n",
        ]
    )


def _named(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - FILES:,} more" if len(paths) > FILES else ""
    return f": {', '.join(map(markdown.name, paths[:FILES]))}{more}" if paths else ""
