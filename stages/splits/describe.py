"""Describe own pictures in numbers, and name those that are odd."""

import collections
import functools
import itertools
import math
from typing import Any

import numpy as np

from stages.splits import by_content, carve

ODD = 8  # pictures of each kind
MUCH = 0.1  # share of the pictures that is remarkable if they all have to be in one split
LISTED = 100  # near duplicates in the report


def describe(splits: dict[str, carve.Split], fractions: carve.Fractions) -> dict[str, Any]:
    """Describe the pictures of all splits for the report; an empty description of published images.

    Args:
        splits: The splits as they are written.
        fractions: The shares that were asked for.
    """
    if not is_own(splits):
        return {}
    fact = functools.partial(together, splits)
    return {
        **{name: quartiles(fact(name)) for name in ("height", "width", "luminance", "sharpness")},
        "aspect_ratio": quartiles(fact("width") / fact("height")),
        "formats": counted(fact("format")),
        "groups": len(set(fact("group")) - {""}),
        "modes": counted(fact("mode")),
        "near_duplicates": _near(splits),
        "notes": counted(word for notes in fact("notes") for word in notes.split()),
        "odd": {kind: fact("path")[places].tolist() for kind, places in odd(splits).items()},
        "shares": _shares(splits, fractions),
    }


def is_own(splits: dict[str, carve.Split]) -> bool:
    """True if the images are own pictures, of which facts are known."""
    return all(content.keys is not None for content in splits.values())


def remark(splits: dict[str, carve.Split]) -> str:
    """Return a warning if a large part of the own pictures had to stay together, else nothing."""
    if not is_own(splits):
        return ""
    keys = np.concatenate([content.chosen_keys for content in splits.values()])
    largest = int(np.unique(keys, return_counts=True)[1].max())
    if largest <= max(ODD, MUCH * len(keys)):
        return ""
    return (
        f"{largest:,} of {len(keys):,} pictures had to go into one split together: they are of one group, or"
        " each looks like another of them; if looks deceive, set subset.near_duplicates to false"
    )


def together(splits: dict[str, carve.Split], name: str) -> np.ndarray:
    """Join what is known of the own pictures of all splits, by the name of the column: [N]."""
    return np.concatenate([content.fact(name) for content in splits.values()])


def quartiles(values: np.ndarray) -> list[float]:
    """Return the least value, the quartiles and the greatest value."""
    return [round(float(value), 4) for value in np.quantile(values, [0, 0.25, 0.5, 0.75, 1])]


def counted(values: Any) -> dict[str, int]:
    """Count equal values, the most frequent first."""
    return dict(collections.Counter(values).most_common())


def odd(splits: dict[str, carve.Split]) -> dict[str, np.ndarray]:
    """Return the places of the pictures that stand out, int [n] by kind.

    Unusual are those whose size, shape, brightness and sharpness are far from the others', each measured
    from the median in units of the median absolute deviation.
    """
    width, height, luminance, sharpness = (
        together(splits, name) for name in ("width", "height", "luminance", "sharpness")
    )
    area = width * height
    columns = (np.log(area.astype(float)), np.log(width / height), luminance, np.log1p(sharpness))
    distance = np.sqrt(sum(_from_the_median(column) ** 2 for column in columns))
    orders = {"smallest": area, "darkest": luminance, "blurriest": sharpness, "most unusual": -distance}
    found = {}
    for kind, values in orders.items():
        first = np.argsort(values, kind="stable")[:ODD]
        found[kind] = first[values[first] < np.median(values)]
    return {kind: places for kind, places in found.items() if len(places)}


def _from_the_median(values: np.ndarray) -> np.ndarray:
    away = values - np.median(values)
    typical = np.median(np.abs(away))
    return away / max(float(typical), 1e-6) if typical > 0 else np.sign(away) * math.sqrt(len(values))


def _near(splits: dict[str, carve.Split]) -> dict[str, Any]:
    from stages.splits import kin  # imports SciPy, which takes half a second

    pairs = kin.near_pairs(together(splits, "pixels"), together(splits, "hash"), LISTED + 1)
    paths = together(splits, "path")
    listed = [{"bits": pair.distance, "pictures": [paths[pair.first], paths[pair.second]]} for pair in pairs]
    return {"more": len(pairs) > LISTED, "pairs": listed[:LISTED]}


def _shares(splits: dict[str, carve.Split], fractions: carve.Fractions) -> dict[str, Any]:
    """Say which share of the pictures each split got, which was asked for, and how many keys are in two."""
    counts = {split: len(content.positions) for split, content in splits.items()}
    total = sum(counts.values())
    keys = [content.chosen_keys for content in splits.values()]
    overlaps = sum(len(np.intersect1d(one, other)) for one, other in itertools.combinations(keys, 2))
    described: dict[str, Any] = {
        "overlaps": overlaps,
        "got": {split: round(count / total, 4) for split, count in counts.items()},
    }
    if fractions.test is not None and fractions.val is not None:
        rest = 1 - fractions.test
        asked = {"train": rest * (1 - fractions.val), "val": rest * fractions.val, "test": fractions.test}
        described["asked"] = {split: round(share, 4) for split, share in asked.items()}
        off = by_content.deviations(asked, counts)
        if max(map(abs, off.values())) > 1:
            described["why"] = (
                "A picture's split follows from its content, or its group, so that adding pictures moves"
                " none: shares of few pictures or of large groups are not exact."
            )
    return described
