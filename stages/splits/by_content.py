"""Assign pictures to splits, and order them, by what they are and not by where they stand in a list.

Adding pictures moves none of those that were there, with one exception: where an added picture belongs to a
component (see `kin`), or to several, these are one component from then on. Its key is chosen anew, and all
of its pictures, old and new, are in the split of that key. The same goes in reverse for removing pictures.
"""

import hashlib
import math
from collections.abc import Sequence

import numpy as np

GROUP = "group:"  # begins the keys that are names of groups; a digest holds no colon
BITS = 53  # of a hash that a float64 holds exactly


def keys(components: np.ndarray, pixels: Sequence[str], groups: Sequence[str]) -> list[str]:
    """Name each picture by its component: by the smallest group in it, if any, else its smallest digest.

    Args:
        components: The number of each of N pictures' component: int64 [N].
        pixels: A digest of the decoded pixels of each, in hexadecimal.
        groups: The group of each; "" means none.

    Returns:
        N keys, equal within a component and else different; names of groups begin with `GROUP`.
    """
    numbers = components.tolist()
    smallest: dict[int, tuple[bool, str]] = {}
    for number, digest, group in zip(numbers, pixels, groups, strict=True):
        candidate = (group == "", group or digest)
        smallest[number] = min(candidate, smallest.get(number, candidate))
    named = {i: key if ungrouped else GROUP + key for i, (ungrouped, key) in smallest.items()}
    return [named[number] for number in numbers]


def shares(keys: Sequence[str], test: float, val: float, seed: int) -> np.ndarray:
    """Assign each key to a split by a hash of itself and the seed.

    Args:
        keys: N texts; equal keys get the same split.
        test: The share of all keys for testing, from 0 to below 1.
        val: The share of the other keys for validation, from 0 to below 1.
        seed: Another seed gives another split.

    Returns:
        "train", "val" or "test" for each: str [N].
    """
    places = _places(keys, seed)
    return np.select([places < test, places < _end(test, val)], ["test", "val"], "train")


def _end(test: float, val: float) -> float:
    """The place at which the validation split ends and the training split begins."""
    return test + (1 - test) * val


def _places(keys: Sequence[str], seed: int) -> np.ndarray:
    """A number in [0, 1) for each key, evenly distributed: float64 [N]."""
    hashes = np.array([int.from_bytes(_hash(key, seed, b"split")[:8]) for key in keys], np.uint64)
    return (hashes >> np.uint64(64 - BITS)) / 2.0**BITS


def _hash(text: str, seed: int, purpose: bytes) -> bytes:
    """A hash of 16 bytes; those of another seed or purpose are independent of it.

    File names that are not UTF-8 reach Python with surrogates in them, which must not be an error here.
    """
    content = text.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(content, digest_size=16, key=str(seed).encode(), person=purpose).digest()


def order(pixels: Sequence[str], seed: int) -> np.ndarray:
    """Shuffle pictures by a hash of content and seed: adding some leaves the others in their order.

    Args:
        pixels: A digest of the decoded pixels of each of N pictures.
        seed: Another seed gives another order.

    Returns:
        The positions of the pictures in their new order, those of equal pixels as they came: int64 [N].
    """
    hashes = [_hash(digest, seed, b"order") for digest in pixels]
    return np.array(sorted(range(len(hashes)), key=hashes.__getitem__), np.int64)


def smallest_fraction(keys: Sequence[str], seed: int, test: float = 0.0) -> float:
    """Find the smallest share that holds one of the keys, for the message that a class has none.

    Args:
        keys: The keys of the class.
        seed: The seed of the split.
        test: The share for testing, if the one for validation is sought; 0 if that for testing is.

    Returns:
        A share with few decimals, at most a tenth above the smallest possible one; 1 if none below 1 is
        enough, since all keys, or none, are in the test split.
    """
    places = _places(keys, seed)
    least = np.min(places[places >= test], initial=1.0)
    for digits in range(1, BITS):
        share = (math.floor((least - test) / (1 - test) * 10**digits) + 1) / 10**digits
        if share < 1 and least < _end(test, share) and share * (1 - test) <= (least - test) * 1.1:
            return round(share, digits)
    return 1.0


def deviations(asked: dict[str, float], counts: dict[str, int]) -> dict[str, float]:
    """By how many points (percent) the share of all images that a split got is above the one asked for.

    Args:
        asked: The share of all images by split.
        counts: The images by the same splits; at least one in all.
    """
    total = sum(counts.values())
    return {split: 100 * (counts[split] / total - share) for split, share in asked.items()}
