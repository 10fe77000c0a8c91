"""Find images that occur more than once: within a split, in several splits, or under several classes."""

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from stages.splits import carve

PRECEDENCE = ["test", "val", "train"]  # an image that is in several splits stays in the first of these
LISTED = 100  # contradictions in the report


def digests(images: Iterable[np.ndarray]) -> list[bytes]:
    """Return a digest of the pixels of each image; equal images have equal digests."""
    return [hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in images]


def without_repeats(
    splits: dict[str, carve.Split], digests: dict[str, list[bytes]]
) -> tuple[dict[str, carve.Split], dict[str, dict]]:
    """Drop every image that is also in a split that takes precedence: test, then val.

    Returns:
        The splits; and for each split a count of the images that repeat another image of the same split
        (they stay), and the published positions of the dropped images, by the split that keeps them.
    """
    kept, repeated = {}, {}
    for split, content in splits.items():
        drop = np.zeros(len(content.positions), bool)
        found: dict[str, Any] = {"within": len(digests[split]) - len(set(digests[split]))}
        for holder in PRECEDENCE[: PRECEDENCE.index(split)]:
            held = set(digests[holder])
            also = np.array([digest in held for digest in digests[split]], bool)
            found[f"dropped_for_{holder}"] = np.sort(content.positions[also & ~drop]).tolist()
            drop |= also
        kept[split] = content._replace(positions=content.positions[~drop])
        repeated[split] = found
    return kept, repeated


def contradictions(
    splits: dict[str, carve.Split], digests: dict[str, list[bytes]], names: list[str]
) -> dict[str, Any]:
    """Find the pictures that occur under several classes; return their number and the places of the first."""
    places: dict[bytes, list[dict[str, Any]]] = {}
    for split, content in splits.items():
        labels, positions = content.labels[content.positions], content.positions.tolist()
        for digest, position, label in zip(digests[split], positions, labels, strict=True):
            place = {"class": names[label], "position": position, "split": split}
            places.setdefault(digest, []).append(place)
    found = [each for each in places.values() if len({place["class"] for place in each}) > 1]
    return {"pictures": len(found), "places": found[:LISTED]}
