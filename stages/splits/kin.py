"""Find the pictures that belong together, so that no split separates them.

Near hashes are a suspicion, and ties reach further: one picture is near a second, this one near a third. Of
the 60,000 photographs of CIFAR-10, shrunk to 9x8 pixels for their hashes, the largest component has 175; of
the 70,000 shapes on black of Fashion-MNIST it has 54,632, which no split can divide. Hashes of zeros for all
pictures leave the ties to pixels and groups.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from stages.splits import hamming

DISTANCE = 4  # bits of 64 in which the difference hashes of near duplicates may differ
# Set bits that a hash must have to tie pictures. A flat picture's hash has none, so a hash with up to
# DISTANCE bits is as near to it as near duplicates are to one another, and any two hashes with up to
# DISTANCE / 2 bits are near, whatever they show.
TELLING = DISTANCE + 1
PENDING = 1 << 18  # ties to collect before they are joined


class Pair(NamedTuple):
    """Two pictures of different pixels whose hashes are near."""

    first: int  # position
    second: int  # position, after the first
    distance: int  # bits in which the hashes differ


def components(pixels: np.ndarray, hashes: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Number the sets of pictures that belong together.

    Two pictures belong together if their pixels are equal, if their hashes differ in at most `DISTANCE`
    bits, or if they have the same group; and so do both with whatever belongs to either. A hash with fewer
    than `TELLING` set bits, as a flat picture has it, ties nothing.

    Args:
        pixels: A digest of the decoded pixels of each of N pictures: void [N].
        hashes: The difference hash of each: uint64 [N].
        groups: The group of each; "" means none: str objects [N].

    Returns:
        The number of each picture's component, from 0 in the order in which they first appear: int64 [N].
    """
    count = len(pixels)
    if not count == len(hashes) == len(groups):
        raise ValueError(f"received {count} pixels, {len(hashes)} hashes, {len(groups)} groups")
    numbers = _tied(hashes)
    numbers = _joined(numbers, [(np.arange(count), _firsts(pixels))])
    grouped = np.flatnonzero(groups != "")
    return _joined(numbers, [(grouped, grouped[_firsts(groups[grouped])])])


def near_pairs(pixels: np.ndarray, hashes: np.ndarray, limit: int = 100) -> list[Pair]:
    """List the first pairs of pictures whose pixels differ and whose hashes tie them.

    Pictures of equal hashes are not each paired with all of the others: the first of them is paired with
    each of the rest, and stands for them in the pairs with other hashes.

    Args:
        pixels: A digest of the decoded pixels of each of N pictures: void [N].
        hashes: The difference hash of each: uint64 [N].
        limit: The number of pairs at most.

    Returns:
        The pairs by the first position, then by the second.
    """
    count = len(pixels)
    same = _firsts(pixels)
    listed = np.empty(0, np.int64)  # each pair as one number: first * count + second
    for batch in _near_pictures(hashes):
        first, second = np.minimum(*batch), np.maximum(*batch)
        pairs = (first * count + second)[same[first] != same[second]]
        listed = np.sort(
            np.concatenate([listed, pairs[pairs < listed[-1]] if len(listed) == limit else pairs])
        )
        listed = listed[:limit]
    return [
        Pair(first, second, int(hashes[first] ^ hashes[second]).bit_count())
        for first, second in (divmod(pair, count) for pair in listed.tolist())
    ]


def _firsts(values: np.ndarray) -> np.ndarray:
    """The position at which each of N values is found first: int64 [N]."""
    _, first, which = np.unique(values, return_index=True, return_inverse=True)
    return first[which]


def _near_pictures(hashes: np.ndarray) -> Iterator[hamming.Pairs]:
    """Yield the pairs of positions whose hashes tie them; of equal hashes, each with the first of them."""
    telling = np.flatnonzero(np.bitwise_count(hashes) >= TELLING)
    distinct, first, which = np.unique(hashes[telling], return_index=True, return_inverse=True)
    representative = telling[first]
    repeated = telling != representative[which]
    yield representative[which][repeated], telling[repeated]
    for one, other in hamming.near(distinct, DISTANCE):
        yield representative[one], representative[other]


def _tied(hashes: np.ndarray) -> np.ndarray:
    """A number for each picture that is equal if their hashes tie them: int64 [N]."""
    numbers = np.arange(len(hashes))
    pending: list[hamming.Pairs] = []
    room = PENDING
    for one, other in _near_pictures(hashes):
        apart = numbers[one] != numbers[other]
        if apart.any():
            pending.append((one[apart], other[apart]))
            room -= int(np.count_nonzero(apart))
        if room < 0:
            numbers, pending, room = _joined(numbers, pending), [], PENDING
    return _joined(numbers, pending) if pending else numbers


def _joined(numbers: np.ndarray, ties: list[hamming.Pairs]) -> np.ndarray:
    """The numbers after each tie has made two of them one: from 0, in the order in which each is first found.

    That order is SciPy's, if the numbers before it were in such an order.
    """
    one, other = (numbers[np.concatenate([tie[side] for tie in ties])] for side in (0, 1))
    ones = np.ones(len(one), np.int8)
    graph = sparse.coo_array((ones, (one, other)), shape=(len(numbers), len(numbers)))
    return csgraph.connected_components(graph, directed=False)[1][numbers].astype(np.int64)
