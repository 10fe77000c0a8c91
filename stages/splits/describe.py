"""Describe own pictures in numbers, and name those that are odd."""

import collections
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
    facts = together(splits)
    if not facts:
        return {}
    numbers = {
        "height": facts["height"],
        "width": facts["width"],
        "aspect_ratio": facts["width"] / facts["height"],
        "luminance": facts["luminance"],
        "sharpness": facts["sharpness"],
    }
    words = [word for notes in facts["notes"] for word in notes.split()]
    return {
        **{name: quartiles(values) for name, values in numbers.items()},
        "formats": counted(facts["format"]),
        "groups": len(set(facts["group"]) - {""}),
        "modes": counted(facts["mode"]),
        "near_duplicates": _near(facts),
        "notes": counted(words),
        "odd": {kind: facts["path"][places].tolist() for kind, places in odd(facts).items()},
        "shares": _shares(splits, fractions),
    }


def remark(splits: dict[str, carve.Split]) -> str:
    """Return a warning if a large part of the own pictures had to stay together, else nothing."""
    keys = [key for content in splits.values() for key in content.chosen_keys]
    if not keys:
        return ""
    ((_, largest),) = collections.Counter(keys).most_common(1)
    if largest <= max(ODD, MUCH * len(keys)):
        return ""
    return (
        f"{largest:,} of {len(keys):,} pictures had to go into one split together: they are of one group, or"
        " each looks like another of them; if looks deceive, set subset.near_duplicates to false"
    )


def together(splits: dict[str, carve.Split]) -> dict[str, np.ndarray]:
    """Join the facts of the pictures of all splits."""
    parts = [content.facts for content in splits.values()]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def quartiles(values: np.ndarray) -> list[float]:
    """Return the least value, the quartiles and the greatest value."""
    return [round(float(value), 4) for value in np.quantile(values, [0, 0.25, 0.5, 0.75, 1])]


def counted(values: Any) -> dict[str, int]:
    """Count equal values, the most frequent first."""
    return dict(collections.Counter(values).most_common())


def odd(facts: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the places of the pictures that stand out, int [n] by kind.

    Unusual are those whose size, shape, brightness and sharpness are far from the others', each measured
    from the median in units of the median absolute deviation.
    """
    area = facts["width"] * facts["height"]
    columns = [
        np.log(area.astype(float)),
        np.log(facts["width"] / facts["height"]),
        facts["luminance"],
        np.log1p(facts["sharpness"].astype(float)),
    ]
    distance = np.sqrt(sum(_from_the_median(column) ** 2 for column in columns))
    orders = {
        "smallest": area,
        "darkest": facts["luminance"],
        "blurriest": facts["sharpness"],
        "most unusual": -distance,
    }
    found = {}
    for kind, values in orders.items():
        first = np.argsort(values, kind="stable")[:ODD]
        found[kind] = first[values[first] < np.median(values)]
    return {kind: places for kind, places in found.items() if len(places)}


def _from_the_median(values: np.ndarray) -> np.ndarray:
    away = values - np.median(values)
    typical = np.median(np.abs(away))
    return away / max(float(typical), 1e-6) if typical > 0 else np.sign(away) * math.sqrt(len(values))


def _near(facts: dict[str, np.ndarray]) -> dict[str, Any]:
    from stages.splits import kin  # imports SciPy, which takes half a second

    pairs = kin.near_pairs(facts["pixels"].tolist(), kin.parsed(facts["hash"]), LISTED + 1)
    paths = facts["path"]
    listed = [{"bits": pair.distance, "pictures": [paths[pair.first], paths[pair.second]]} for pair in pairs]
    return {"more": len(pairs) > LISTED, "pairs": listed[:LISTED]}


def _shares(splits: dict[str, carve.Split], fractions: carve.Fractions) -> dict[str, Any]:
    """Say which share of the pictures each split got, which was asked for, and how many keys are in two."""
    counts = {split: len(content.positions) for split, content in splits.items()}
    total = sum(counts.values())
    keys = {split: set(content.chosen_keys) for split, content in splits.items()}
    overlaps = sum(len(one & other) for one, other in itertools.combinations(keys.values(), 2))
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
