"""Assign pictures to splits, and order them, by what they are and not by where they stand in a list.

Adding pictures moves none of those that were there, with one exception: where an added picture belongs to a
component (see `kin`), or to several, these are one component from then on. Its key is chosen anew, and all
of its pictures, old and new, are in the split of that key. The same goes in reverse for removing pictures.
"""

import hashlib
import math
from collections.abc import Iterable, Iterator

import numpy as np

GROUP = b"group:"  # begins the names that are of groups; a digest holds no colon
BITS = 53  # of a hash that a float64 holds exactly


def names(components: np.ndarray, pixels: np.ndarray, groups: np.ndarray) -> Iterator[bytes]:
    """Name each component: by the smallest group in it, if any, else its smallest digest.

    Args:
        components: The number of each of N pictures' component, from 0: int64 [N].
        pixels: A digest of the decoded pixels of each, 16 bytes: void [N].
        groups: The group of each; "" means none: str objects [N].

    Yields:
        The names by the components' numbers, all different; those of groups begin with `GROUP`.
    """
    ranks = np.unique(groups, return_inverse=True)[1]
    order = np.lexsort((pixels, ranks, groups == "", components))
    _, first = np.unique(components[order], return_index=True)
    for position in order[first].tolist():
        group = groups[position]
        # File names that are not UTF-8 reach Python with surrogates in them, which must not be an error.
        yield GROUP + group.encode("utf-8", "surrogatepass") if group else _text(pixels[position])


def keys(names: Iterable[bytes], seed: int) -> np.ndarray:
    """Return a key for each of N names, which decides its split: void [N], equal for equal names."""
    return _hashes(names, seed, b"split")


def shares(keys: np.ndarray, test: float, val: float) -> np.ndarray:
    """Assign each key to a split.

    Args:
        keys: See `keys`.
        test: The share of all keys for testing, from 0 to below 1.
        val: The share of the other keys for validation, from 0 to below 1.

    Returns:
        "train", "val" or "test" for each: str [N].
    """
    places = _places(keys)
    return np.select([places < test, places < _end(test, val)], ["test", "val"], "train")


def _end(test: float, val: float) -> float:
    """The place at which the validation split ends and the training split begins."""
    return test + (1 - test) * val


def _places(keys: np.ndarray) -> np.ndarray:
    """A number in [0, 1) for each key, evenly distributed: float64 [N]."""
    hashes = np.ascontiguousarray(keys).view(">u8")[::2].astype(np.uint64)
    return (hashes >> np.uint64(64 - BITS)) / 2.0**BITS


def _text(digest: np.void) -> bytes:
    """A digest in hexadecimal digits, in which names of components have it."""
    return digest.tobytes().hex().encode()


def _hashes(texts: Iterable[bytes], seed: int, purpose: bytes) -> np.ndarray:
    """A hash of 16 bytes of each of N texts, [N]; those of another seed or purpose are independent of it."""
    key = str(seed).encode()
    hashes = (hashlib.blake2b(text, digest_size=16, key=key, person=purpose).digest() for text in texts)
    return np.fromiter(hashes, "V16")


def order(pixels: np.ndarray, seed: int) -> np.ndarray:
    """Shuffle pictures by a hash of content and seed: adding some leaves the others in their order.

    Args:
        pixels: A digest of the decoded pixels of each of N pictures, 16 bytes: void [N].
        seed: Another seed gives another order.

    Returns:
        The positions of the pictures in their new order, those of equal pixels as they came: int64 [N].
    """
    return np.argsort(_hashes(map(_text, pixels), seed, b"order"), kind="stable")


def smallest_fraction(keys: np.ndarray, test: float = 0.0) -> float:
    """Find the smallest share that holds one of the keys, for the message that a class has none.

    Args:
        keys: The keys of the class.
        test: The share for testing, if the one for validation is sought; 0 if that for testing is.

    Returns:
        A share with few decimals, at most a tenth above the smallest possible one; 1 if none below 1 is
        enough, since all keys, or none, are in the test split.
    """
    places = _places(keys)
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
