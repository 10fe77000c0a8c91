"""Find images that occur more than once: within a split, in several splits, or under several classes."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from stages.running import ellipsis, errors
from stages.splits import carve

PRECEDENCE = ["test", "val", "train"]  # an image that is in several splits stays in the first of these
LISTED = 100  # contradictions in the report

Digests = Mapping[str, np.ndarray]  # by split, of each image, void [n]; equal images have equal digests


def digests(images: Iterable[np.ndarray]) -> np.ndarray:
    """Return a digest of the pixels of each of n images, void [n]; equal images have equal digests."""
    return np.fromiter((hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in images), "V16")


def without_repeats(
    splits: dict[str, carve.Split], kin: Digests, pixels: Digests
) -> tuple[dict[str, carve.Split], dict[str, dict]]:
    """Drop every image that is also in a split that takes precedence: test, then val.

    Args:
        splits: The splits.
        kin: Of each image, what may be in one split only.
        pixels: Of each image, a digest of its pixels.

    Returns:
        The splits; and for each split a count of the images that repeat another image of the same split
        (they stay), and the dropped images, by `carve.Split.names`, by the split that keeps them.
    """
    kept, repeated = {}, {}
    for split, content in splits.items():
        drop = np.zeros(len(content.positions), bool)
        found: dict[str, Any] = {"within": len(pixels[split]) - len(np.unique(pixels[split]))}
        for holder in PRECEDENCE[: PRECEDENCE.index(split)]:
            also = np.isin(kin[split], kin[holder])
            dropped = np.sort(content.positions[also & ~drop])
            found[f"dropped_for_{holder}"] = content._replace(positions=dropped).names.tolist()
            drop |= also
        kept[split] = content._replace(positions=content.positions[~drop])
        repeated[split] = found
    return kept, repeated


def contradictions(
    splits: dict[str, carve.Split], digests: Digests, names: list[str]
) -> list[list[dict[str, Any]]]:
    """Find the pictures that occur under several classes; return the places of each."""
    labels = np.concatenate([content.labels[content.positions] for content in splits.values()])
    every = np.concatenate([digests[split] for split in splits])
    _, first, which = np.unique(every, return_index=True, return_inverse=True)
    of_several = np.unique(which[labels != labels[first][which]])
    places: dict[int, list[dict[str, Any]]] = {}
    start = 0
    for split, content in splits.items():
        numbers = which[start : start + len(content.positions)]
        start += len(numbers)
        chosen = np.flatnonzero(np.isin(numbers, of_several))
        some = content._replace(positions=content.positions[chosen])
        of_some = zip(numbers[chosen].tolist(), some.names.tolist(), some.labels[some.positions], strict=True)
        for number, name, label in of_some:
            place = {"class": names[label], "position": name, "split": split}
            places.setdefault(number, []).append(place)
    return list(places.values())


def require_none(found: list[list[dict[str, Any]]]) -> None:
    """Refuse pictures that occur under several classes.

    Raises:
        errors.BadInput: there are some; the message names the first.
    """
    if not found:
        return
    lines = ["; ".join(f"{place['position']} is {place['class']!r}" for place in places) for places in found]
    raise errors.BadInput(
        f"expected each picture under one class, found {len(found):,} under several:\n"
        f"{ellipsis.first(lines)}\ncorrect them, or set subset.conflicts to drop, which leaves all of them"
        " out"
    )


def without(splits: dict[str, carve.Split], digests: Digests, found: list[list[dict[str, Any]]]) -> Any:
    """Drop the images that occur under several classes, all of them; return the splits and their digests."""
    places = {(place["split"], place["position"]) for each in found for place in each}
    kept, left = {}, {}
    for split, content in splits.items():
        stays = np.array([(split, name) not in places for name in content.names], bool)
        kept[split] = content._replace(positions=content.positions[stays])
        left[split] = digests[split][stays]
    return kept, left
