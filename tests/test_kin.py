"""Pictures that belong together are one component: equal pixels, near hashes, a common group."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.sparse import csgraph

from stages.splits import hamming, kin

SCENE = 0x5A5A_3C3C_0FF0_9669  # a hash with half of its bits set


def random_hashes(count: int) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 2**64, count, dtype=np.uint64)


def flipped(hashes: np.ndarray, bits: int, seed: int = 0) -> np.ndarray:
    """The hashes with some bits of each turned over, others for each."""
    places = np.random.default_rng(seed).permuted(np.tile(np.arange(64), (len(hashes), 1)), axis=1)[:, :bits]
    return hashes ^ np.bitwise_or.reduce(np.uint64(1) << places.astype(np.uint64), axis=1)


def digests(texts) -> np.ndarray:
    return np.array(list(texts), "S16").view("V16")


def components(hashes, pixels=None, groups=None) -> list[int]:
    """The components of pictures that, unless said otherwise, have no common pixels and no groups."""
    pixels = pixels or [f"{i:016x}" for i in range(len(hashes))]
    groups = groups or [""] * len(hashes)
    found = kin.components(digests(pixels), np.array(hashes, np.uint64), np.array(groups, object))
    assert found.dtype == np.int64
    return found.tolist()


def near_pairs(pixels, hashes, limit=100) -> list[kin.Pair]:
    return kin.near_pairs(digests(pixels), hashes, limit)


def by_definition(pixels, hashes, groups) -> list[int]:
    """The components by comparing each with each."""
    tied = np.eye(len(pixels), dtype=bool)
    for i in range(len(pixels)):
        for j in range(i):
            telling = min(hashes[i].bit_count(), hashes[j].bit_count()) > 4
            tied[i, j] = (
                pixels[i] == pixels[j]
                or (telling and (hashes[i] ^ hashes[j]).bit_count() <= 4)
                or (groups[i] == groups[j] != "")
            )
    numbers = csgraph.connected_components(tied, directed=False)[1].tolist()
    order = list(dict.fromkeys(numbers))
    return [order.index(number) for number in numbers]


@pytest.mark.parametrize("bits", range(5))
def test_every_planted_near_duplicate_is_found(bits):
    originals = random_hashes(3000)
    found = components(np.concatenate([originals, flipped(originals, bits)]))
    assert found == [*range(3000), *range(3000)]


@pytest.mark.parametrize("bits", [5, 6, 12])
def test_hashes_further_apart_are_not_tied(bits):
    originals = random_hashes(3000)
    assert components(np.concatenate([originals, flipped(originals, bits)])) == list(range(6000))


@pytest.mark.parametrize("bits", range(5))
def test_duplicates_within_large_buckets_are_found(bits, monkeypatch):
    monkeypatch.setattr(hamming, "LARGE", 8)
    originals = random_hashes(1000) & np.uint64(0xFFFF_FFFF_FFFF_0000) | np.uint64(0x5A5A)
    assert components(originals) == list(range(1000))
    found = components(np.concatenate([originals, flipped(originals, bits)]))
    assert found == [*range(1000), *range(1000)]


def test_equal_pixels_are_tied_whatever_their_hashes():
    assert components([SCENE, 0, ~SCENE % 2**64], pixels=["a", "b", "a"]) == [0, 1, 0]


def test_a_group_is_tied_and_no_group_is_not():
    assert components(random_hashes(5), groups=["", "cow 7", "", "cow 7", "cow 8"]) == [0, 1, 2, 1, 3]


def test_ties_of_all_kinds_reach_further_pictures():
    far = ~SCENE % 2**64
    hashes = [far ^ 0b1111_1111, SCENE, SCENE ^ 0b1111, SCENE ^ 0b1111_1111, far, 0]
    pixels = ["e", "a", "b", "c", "d", "c"]
    groups = ["", "herd", "", "", "herd", ""]
    assert components(hashes, pixels, groups) == [0, 1, 1, 1, 1, 1]


def test_components_are_numbered_as_they_first_appear():
    assert components(random_hashes(6), groups=["b", "", "a", "b", "a", ""]) == [0, 1, 2, 0, 2, 3]


@pytest.mark.parametrize("bits", range(5))
def test_flat_pictures_are_tied_by_equal_pixels_only(bits):
    flat = [(1 << bits) - 1] * 3
    assert components([0, *flat], pixels=["a", "b", "c", "b"]) == [0, 1, 2, 1]


def test_equal_hashes_of_five_bits_tie_pictures():
    assert components([0b11111, 0b11111, 0b1111]) == [0, 0, 1]


def test_no_pictures_have_no_components():
    assert components([]) == []


def test_lists_that_differ_in_length_are_refused():
    with pytest.raises(ValueError, match="received 2 pixels, 2 hashes, 1 groups"):
        kin.components(digests("ab"), np.zeros(2, np.uint64), np.array([""], object))


seeds = st.integers(0, 2**32 - 1)
# Hashes near one another: those of few bits, of one scene, and any.
few_bits = st.lists(st.integers(0, 63), max_size=9).map(lambda bits: sum(1 << bit for bit in set(bits)))
near_hashes = st.one_of(few_bits, few_bits.map(lambda bits: bits ^ SCENE), st.integers(0, 2**64 - 1))
pictures = st.lists(
    st.tuples(st.sampled_from("abcdefghijklmnop"), near_hashes, st.sampled_from(["", "", "x", "y"]))
)


@given(pictures)
@example([("a", SCENE, ""), ("b", SCENE ^ 0xF, ""), ("c", SCENE ^ 0x1F, "")])
def test_components_are_those_of_comparing_each_with_each(pictures):
    pixels, hashes, groups = ([picture[i] for picture in pictures] for i in range(3))
    assert components(hashes, pixels, groups) == by_definition(pixels, hashes, groups)


@given(seeds, st.sets(near_hashes, max_size=30), st.integers(0, 6), st.sampled_from([2, 3, 5, 8, 100]))
def test_every_near_pair_is_given_once(seed, hashes, distance, large):
    scenes = np.random.default_rng(seed).integers(0, 2**64, 20, dtype=np.uint64)
    frames = [flipped(scenes, bits, seed + bits) for bits in (1, 2, 3)]
    values = np.unique(np.concatenate([scenes, *frames, np.array(list(hashes), np.uint64)]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hamming, "LARGE", large)
        patch.setattr(hamming, "CHUNK", 7)
        batches = list(hamming.near(values, distance))
    found = [tuple(sorted(pair)) for first, second in batches for pair in zip(first, second, strict=True)]
    different = np.bitwise_count(values[:, np.newaxis] ^ values)
    assert sorted(found) == [(i, j) for i, j in np.argwhere(np.triu(different <= distance, 1))]


@pytest.mark.parametrize("common", [0, 13, 24])
def test_few_hashes_are_compared_with_each_other(common, monkeypatch):
    compared, count = [], np.bitwise_count

    def counted(bits):
        compared.append(len(bits))
        return count(bits)

    monkeypatch.setattr(np, "bitwise_count", counted)
    hashes = np.unique(random_hashes(50_000) << np.uint64(common))
    for _ in hamming.near(hashes, 4):
        pass
    assert sum(compared) < len(hashes) ** 2 / 2 / 20


@pytest.mark.parametrize(
    ("hashes", "count"),
    [
        (np.arange(1, 100_001, dtype=np.uint64) * np.uint64(0x9E37_79B9_7F4A_7C15) << np.uint64(13), 100_000),
        (np.arange(1 << 13, dtype=np.uint64) << np.uint64(7) | np.uint64(0x1F << 40), 1),
    ],
    ids=["a band is shared", "most pairs are near"],
)
def test_a_large_bucket_keeps_to_its_memory(hashes, count):
    assert len(np.unique(hashes)) == len(hashes)
    tracemalloc.start()
    try:
        numbers = components(hashes)
        assert tracemalloc.get_traced_memory()[1] < 60e6  # all pairs at 8 bytes each: 40 GB, and 268 MB
    finally:
        tracemalloc.stop()
    assert max(numbers) + 1 == count


def test_a_pair_is_listed_with_its_distance():
    hashes = np.array([0, SCENE, 0, SCENE ^ 0b111, ~SCENE % 2**64, SCENE], np.uint64)
    assert near_pairs("abcdef", hashes) == [(1, 3, 3), (1, 5, 0)]
    assert near_pairs("abcdea", hashes) == [(1, 3, 3), (1, 5, 0)]
    assert near_pairs("abcdeb", hashes) == [(1, 3, 3)]  # equal pixels are not listed


def test_the_first_hundred_pairs_are_listed_in_order():
    originals = random_hashes(300)
    hashes = np.concatenate([originals, flipped(originals, 2), flipped(originals, 2, seed=1)])
    listed = near_pairs(map(str, range(900)), hashes)
    assert [(first, second) for first, second, _ in listed] == [
        (i, i + further) for i in range(50) for further in (300, 600)
    ]
    assert {distance for _, _, distance in listed} == {2}
    assert near_pairs(map(str, range(900)), hashes, limit=7) == listed[:7]


def test_no_pictures_have_no_pairs():
    assert near_pairs([], np.empty(0, np.uint64)) == []
