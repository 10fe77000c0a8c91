"""Find images that occur more than once: within a split, in several splits, or under several classes."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from stages.running import ellipsis, errors
from stages.splits import carve

PRECEDENCE = ["test", "val", "train"]  # an image that is in several splits stays in the first of these
LISTED = 100  # contradictions in the report

Digests = Mapping[str, Sequence[Any]]  # by split, of each image; equal images have equal digests


def digests(images: Iterable[np.ndarray]) -> list[bytes]:
    """Return a digest of the pixels of each image; equal images have equal digests."""
    return [hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in images]


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
        found: dict[str, Any] = {"within": len(pixels[split]) - len(set(pixels[split]))}
        for holder in PRECEDENCE[: PRECEDENCE.index(split)]:
            held = set(kin[holder])
            also = np.array([each in held for each in kin[split]], bool)
            dropped = np.sort(content.positions[also & ~drop])
            found[f"dropped_for_{holder}"] = content._replace(positions=dropped).names
            drop |= also
        kept[split] = content._replace(positions=content.positions[~drop])
        repeated[split] = found
    return kept, repeated


def contradictions(
    splits: dict[str, carve.Split], digests: Digests, names: list[str]
) -> list[list[dict[str, Any]]]:
    """Find the pictures that occur under several classes; return the places of each."""
    places: dict[Any, list[dict[str, Any]]] = {}
    for split, content in splits.items():
        labels = content.labels[content.positions].tolist()
        for digest, name, label in zip(digests[split], content.names, labels, strict=True):
            place = {"class": names[label], "position": name, "split": split}
            places.setdefault(digest, []).append(place)
    return [each for each in places.values() if len({place["class"] for place in each}) > 1]


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
        left[split] = [digest for digest, stay in zip(digests[split], stays, strict=True) if stay]
    return kept, left
