"""Find all pairs of 64-bit hashes that differ in few bits, without comparing each with each.

If two hashes differ in at most d bits, and the bits are dealt into d + 1 bands, at least one band is equal in
both (the pigeonhole principle; M. Norouzi, A. Punjani, D. J. Fleet, "Fast Exact Search in Hamming Space with
Multi-Index Hashing", 2014). So only hashes that agree in a band, a bucket, are compared.
"""

from collections.abc import Iterator

import numpy as np

Pairs = tuple[np.ndarray, np.ndarray]  # positions of the first and of the second of each pair: int64 [M]

CHUNK = 1 << 16  # comparisons at a time; their 8 bytes each stay in the processor's second-level cache
LARGE = 4096  # hashes in a bucket beyond which dealing its bits anew is weighed against comparing them all


def near(hashes: np.ndarray, distance: int) -> Iterator[Pairs]:
    """Yield every pair of hashes that differ in at most `distance` bits, once, in batches.

    The search is exact. The time is that of the comparisons within the buckets, and of the pairs found; the
    memory is some arrays as long as `hashes` and does not depend on the size of a bucket.

    Args:
        hashes: uint64 [N], all different.
        distance: The number of bits.

    Yields:
        Pairs; a batch has at most `CHUNK`.
    """
    bands = _deal(hashes, distance + 1)
    if not _worth_splitting(hashes, bands):
        yield from _compared(hashes, np.full(len(hashes), len(hashes)), distance)
        return
    for i, band in enumerate(bands):
        for first, second in _agreeing(hashes, band, distance):
            different = hashes[first] ^ hashes[second]
            new = different & band == 0
            for earlier in bands[:i]:
                new &= different & earlier != 0
            yield first[new], second[new]


def _deal(hashes: np.ndarray, count: int) -> list[np.uint64]:
    """Deal the bits that are not the same in all hashes into bands (masks), so that buckets become small.

    The bits that halve the hashes best are dealt first, one to each band. So no band is left with only
    bits that say little, such as those of a border that most pictures share.
    """
    ones = np.array([np.count_nonzero(hashes & np.uint64(1 << bit)) for bit in range(64)])
    order = np.argsort(np.abs(ones - len(hashes) / 2), kind="stable")
    telling = [int(bit) for bit in order if 0 < ones[bit] < len(hashes)]
    return [np.uint64(sum(1 << bit for bit in telling[i::count])) for i in range(count)]


def _worth_splitting(hashes: np.ndarray, bands: list[np.uint64]) -> bool:
    """Whether comparing within the buckets of all bands takes fewer comparisons than each with each."""
    if len(hashes) <= LARGE:
        return False
    within = sum(int(np.sum(_sizes(np.sort(hashes & band)) ** 2)) for band in bands)
    return within < len(hashes) ** 2 // 2


def _sizes(keys: np.ndarray) -> np.ndarray:
    """Lengths (int64) of the runs of equal keys."""
    starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    return np.diff(np.append(starts, len(keys)))


def _agreeing(hashes: np.ndarray, band: np.uint64, distance: int) -> Iterator[Pairs]:
    """Yield the near pairs within the buckets of a band, and some of the others."""
    keys = hashes & band
    order = np.argsort(keys, kind="stable")
    sizes = _sizes(keys[order])
    of_each = np.repeat(sizes, sizes)  # the size of the bucket that each is in
    for end, size in zip(np.cumsum(sizes)[sizes > LARGE], sizes[sizes > LARGE], strict=True):
        members = order[end - size : end]
        for first, second in near(hashes[members], distance):
            yield members[first], members[second]
    small = np.flatnonzero((of_each > 1) & (of_each <= LARGE))
    small = small[np.argsort(-of_each[small], kind="stable")]  # the largest buckets first
    members = order[small]
    # The buckets with more than k members, which have pairs k places apart, are the first so many members.
    reach = len(small) - np.cumsum(np.bincount(of_each[small], minlength=1))
    for first, second in _compared(hashes[members], reach, distance):
        yield members[first], members[second]


def _compared(hashes: np.ndarray, reach: np.ndarray, distance: int) -> Iterator[Pairs]:
    """Yield the near pairs that are k places apart among the first reach[k] hashes, for each k above zero."""
    for k in range(1, len(reach)):
        for start in range(0, reach[k] - k, CHUNK):
            end = min(start + CHUNK, reach[k] - k)
            different = hashes[start:end] ^ hashes[start + k : end + k]
            found = np.flatnonzero(np.bitwise_count(different) <= distance)
            if len(found):
                yield found + start, found + (start + k)
