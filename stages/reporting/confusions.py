"""Which classes are taken for which, in words."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

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
    found = [Pair(row, column, int(images)) for (row, column), images in np.ndenumerate(counts)]
    confused = [pair for pair in found if pair.actual != pair.predicted and pair.images]
    return sorted(confused, key=lambda pair: -pair.images)


def markdown(counts: np.ndarray, classes: Sequence[str]) -> str:
    """The ten commonest confusions as sentences and as a table.

    Args:
        counts: As `pairs` takes them.
        classes: K names.
    """
    found, total = pairs(counts), int(counts.sum())
    if not found:
        return f"# Confused classes\n\nNone of the {total:,} test images is taken for another class.\n"
    names = [_escaped(name) for name in classes]
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
    table = [
        "",
        "| actual | taken for | images | of the class | share | the other way round |",
        "|---|---|--:|--:|--:|--:|",
    ]
    for actual, predicted, images in found[:MOST]:
        size, share = of_class[actual], _percent(images, of_class[actual])
        times = "once" if images == 1 else f"{images:,} times"
        lines.append(f"- {names[actual]} is taken for {names[predicted]} {times} of {size:,} ({share})")
        back = counts[predicted, actual]
        table.append(f"| {names[actual]} | {names[predicted]} | {images:,} | {size:,} | {share} | {back:,} |")
    return "\n".join([*lines, *table]) + "\n"


def _percent(part: int, whole: int) -> str:
    return f"{part / whole * 100:.1f} %"


def _escaped(name: str) -> str:
    """A name that Markdown shows as it stands, in a table too."""
    return re.sub(r"([\\`*_|<>\[\]$~])", r"\\\1", name)
