"""How many test images of each class are taken for which: the confusion matrix, and each class's shares."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from stages.reporting import wilson

MOST_CLASSES = 100  # of a matrix; of more classes, the confused pairs are listed
MOST_PAIRS = 300  # in that list
MOST_ROWS = 200  # classes in the table, the weakest first
SHADES = 9

Pairs = Mapping[tuple[str, str], int]  # images by actual and predicted class, none of them 0


class Cell(NamedTuple):
    """A cell of the matrix."""

    images: int
    before: int | None  # images of another revision; None if there is none
    shade: str  # a CSS class; empty for no image


class Pair(NamedTuple):
    """Images of the class `actual` that are taken for `predicted`."""

    actual: str
    predicted: str
    cell: Cell


class Share(NamedTuple):
    """A share of some images, in 0..1, with its interval; None for a share of no image."""

    share: float
    low: float
    high: float


class OfClass(NamedTuple):
    """What the model makes of a class."""

    name: str
    images: int
    recall: Share | None
    precision: Share | None
    before: float | None  # recall in another revision


def pairs(predictions: pd.DataFrame) -> Pairs:
    """Count the images of each pair of an actual and a predicted class that occurs."""
    return predictions.groupby(["actual", "predicted"], sort=False).size().to_dict()


def matrix(found: Pairs, before: Pairs | None, classes: Sequence[str]) -> list[list[Cell]]:
    """Return the cells of K classes: K rows of actual classes, K columns of predicted ones."""
    sizes = _sums(found, 0)
    return [[_cell(found, before, (actual, predicted), sizes) for predicted in classes] for actual in classes]


def confused(found: Pairs, before: Pairs | None) -> list[Pair]:
    """Return the pairs of different classes, the commonest first."""
    sizes = _sums(found, 0)
    wrong = sorted((pair for pair in found if pair[0] != pair[1]), key=lambda pair: (-found[pair], pair))
    return [Pair(*pair, _cell(found, before, pair, sizes)) for pair in wrong]


def by_class(found: Pairs, before: Pairs | None, classes: Sequence[str]) -> list[OfClass]:
    """Return each class, the one with the lowest recall first; classes without images come last."""
    actual, predicted = _sums(found, 0), _sums(found, 1)
    earlier = _sums(before or {}, 0)
    rows = [
        OfClass(
            name,
            actual.get(name, 0),
            share(found.get((name, name), 0), actual.get(name, 0)),
            share(found.get((name, name), 0), predicted.get(name, 0)),
            (before or {}).get((name, name), 0) / earlier[name] if name in earlier else None,
        )
        for name in classes
    ]
    return sorted(rows, key=lambda row: 2.0 if row.recall is None else row.recall.share)


def share(images: int, of: int) -> Share | None:
    """Return a share of images with its 95 % interval; None of no image."""
    return Share(images / of, *wilson.interval(images, of)) if of else None


def _sums(found: Pairs, side: int) -> dict[str, int]:
    """Count the images by actual (side 0) or predicted class (side 1)."""
    sums: dict[str, int] = {}
    for pair, images in found.items():
        sums[pair[side]] = sums.get(pair[side], 0) + images
    return sums


def _cell(found: Pairs, before: Pairs | None, pair: tuple[str, str], sizes: Mapping[str, int]) -> Cell:
    images = found.get(pair, 0)
    earlier = None if before is None else before.get(pair, 0)
    if not images:
        return Cell(0, earlier, "")
    part = images / sizes[pair[0]]
    is_right = pair[0] == pair[1]
    # Errors are few: their square roots tell them apart.
    level = math.ceil(SHADES * (part if is_right else math.sqrt(part)))
    return Cell(images, earlier, f"{'right' if is_right else 'wrong'}-{level}")
