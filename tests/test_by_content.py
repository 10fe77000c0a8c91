"""A split by content: adding pictures moves none, and what belongs together stays together."""

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from stages.splits import by_content

A, B, C, D, E = (letter * 8 for letter in "abcde")
digests = st.text("0123456789abcdef", min_size=1, max_size=3).map(lambda text: text.ljust(8, "0"))
names = st.one_of(st.just(""), st.text(max_size=3), digests)
seeds = st.integers(0, 2**32 - 1)
fractions = st.floats(0, 0.99)
pictures = st.lists(st.tuples(st.integers(0, 5), digests, names), min_size=1, max_size=30)
MANY = [f"{i:032x}" for i in range(20_000)]


def keys(pictures: list[tuple[int, str, str]]) -> list[str]:
    """The keys of pictures, each given as component, digest and group."""
    numbers, pixels, groups = zip(*pictures, strict=True)
    components = np.unique(numbers, return_inverse=True)[1]
    names = [*by_content.names(components, as_bytes(pixels), np.array(groups, object))]
    return [names[number].decode("utf-8", "surrogatepass").removesuffix("0" * 24) for number in components]


def as_bytes(digests: Iterable[str]) -> np.ndarray:
    """Digests of 16 bytes, of which the hexadecimal digits are given that come before zeros."""
    return np.array([bytes.fromhex(digest.ljust(32, "0")) for digest in digests], "V16")


def hashed(keys: list[str], seed: int = 0) -> np.ndarray:
    return by_content.keys((key.encode("utf-8", "surrogatepass") for key in keys), seed)


def shares(keys: list[str], test: float = 0.3, val: float = 0.4, seed: int = 0) -> list[str]:
    return by_content.shares(hashed(keys, seed), test, val).tolist()


def ordered(pixels: list[str], seed: int) -> np.ndarray:
    return by_content.order(as_bytes(pixels), seed)


def test_a_key_is_the_smallest_group_else_the_smallest_digest():
    pictures = [(0, C, ""), (0, B, ""), (1, A, "sow"), (1, "0" * 8, ""), (1, D, "cow"), (2, E, "")]
    assert keys(pictures) == [B, B, "group:cow", "group:cow", "group:cow", E]


def test_a_group_named_as_a_digest_is_another_key():
    one, two = keys([(0, A, ""), (1, B, A)])
    assert one != two


@given(pictures, seeds)
def test_keys_do_not_depend_on_the_order_of_the_pictures(pictures, seed):
    shuffled = [pictures[i] for i in np.random.default_rng(seed).permutation(len(pictures))]
    assert sorted(zip(pictures, keys(pictures), strict=True)) == sorted(
        zip(shuffled, keys(shuffled), strict=True)
    )


@given(pictures)
def test_pictures_of_one_component_have_one_key(pictures):
    found = {(picture[0], key) for picture, key in zip(pictures, keys(pictures), strict=True)}
    assert len(found) == len({picture[0] for picture in pictures})


@given(pictures, pictures, fractions, fractions, seeds)
def test_adding_unrelated_pictures_moves_none(old, added, test, val, seed):
    unrelated = [(number + 6, digest, group) for number, digest, group in added]
    before = shares(keys(old), test, val, seed)
    assert shares(keys(old + unrelated), test, val, seed)[: len(old)] == before
    assert shares(keys(unrelated + old), test, val, seed)[len(added) :] == before


def test_an_added_picture_takes_its_component_along():
    old = [(0, B, ""), (0, C, ""), (1, D, "")]
    assert keys([*old, (0, E, "")])[:3] == keys(old)
    assert keys([*old, (0, A, "")]) == [A, A, D, A]
    assert keys([*old, (0, E, "cow")]) == ["group:cow", "group:cow", D, "group:cow"]


@given(st.lists(names), fractions, fractions, seeds)
def test_a_key_is_never_in_two_splits(keys, test, val, seed):
    both = shares(keys + keys[::-1], test, val, seed)
    assert len(set(zip(keys + keys[::-1], both, strict=True))) == len(set(keys))


@given(st.lists(digests), seeds)
def test_splits_do_not_depend_on_the_order_of_the_keys(keys, seed):
    shuffled = [keys[i] for i in np.random.default_rng(seed).permutation(len(keys))]
    by_key = dict(zip(keys, shares(keys, seed=seed), strict=True))
    assert shares(shuffled, seed=seed) == [by_key[key] for key in shuffled]


@pytest.mark.parametrize(("test", "val"), [(0.1, 0.1), (0.3, 0.5), (0.01, 0.2), (0.0, 0.9), (0.9, 0.0)])
@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1])
def test_shares_are_those_asked_for_within_a_point(test, val, seed):
    found = shares(MANY, test, val, seed)
    for split, share in {"test": test, "val": (1 - test) * val, "train": (1 - test) * (1 - val)}.items():
        assert found.count(split) / len(MANY) == pytest.approx(share, abs=0.01)
        assert share > 0 or split not in found


def test_shares_of_another_seed_are_independent():
    one, two = (np.array(shares(MANY, 0.5, 0, seed)) for seed in (0, 1))
    assert np.mean(one == two) == pytest.approx(0.5, abs=0.02)


@given(st.lists(digests), fractions, fractions, seeds)
def test_a_larger_test_share_keeps_what_was_in_it(keys, one, two, seed):
    smaller, larger = (shares(keys, test, 0.2, seed) for test in sorted([one, two]))
    assert all(after == "test" for before, after in zip(smaller, larger, strict=True) if before == "test")


def test_splits_and_orders_are_the_same_on_every_machine():
    keys = ["a", "b", "c", "group:a", "猫", "\udcff"]  # the last as a file name that is not UTF-8
    assert shares(keys, seed=7) == ["train", "test", "train", "train", "val", "train"]
    assert ordered([A, B, C, D, E], 7).tolist() == [1, 0, 4, 2, 3]


def test_no_keys_have_no_shares():
    assert shares([]) == []


@given(st.lists(digests), st.lists(digests), seeds)
def test_adding_pictures_keeps_the_order_of_the_others(old, added, seed):
    is_old = np.random.default_rng(seed).permutation(len(old) + len(added)) < len(old)
    mixed = np.empty(len(is_old), object)
    mixed[is_old], mixed[~is_old] = old, added
    after = ordered(mixed.tolist(), seed)
    before = np.flatnonzero(is_old)[ordered(old, seed)]
    assert after[is_old[after]].tolist() == before.tolist()


@given(st.lists(digests), seeds)
def test_an_order_has_each_picture_once_and_ties_as_they_came(pixels, seed):
    order = ordered(pixels, seed)
    assert order.dtype == np.int64
    assert sorted(order) == list(range(len(pixels)))
    for digest in pixels:
        assert np.all(np.diff([i for i in order if pixels[i] == digest]) > 0)


def test_an_order_mixes_and_another_seed_mixes_otherwise():
    one, two = (ordered(MANY, seed) for seed in (0, 1))
    for a, b in ((one, two), (one, np.arange(len(MANY)))):
        assert abs(np.corrcoef(np.argsort(a), np.argsort(b))[0, 1]) < 0.03


def test_an_order_says_nothing_of_the_split():
    order = np.argsort(ordered(MANY, 0))
    tested = np.array(shares(MANY, 0.5, 0.0)) == "test"
    assert order[tested].mean() == pytest.approx(len(MANY) / 2, rel=0.03)


@given(st.lists(digests, min_size=1, max_size=20), seeds)
def test_the_smallest_test_share_is_enough_and_less_is_not(keys, seed):
    share = by_content.smallest_fraction(hashed(keys, seed))
    assert "test" in shares(keys, share, 0, seed)
    assert "test" not in shares(keys, share / 1.1 - 1e-9, 0, seed)


@given(st.lists(digests, min_size=1, max_size=20), fractions, seeds)
def test_the_smallest_val_share_is_enough_and_less_is_not(keys, test, seed):
    assume(set(shares(keys, test, 0, seed)) != {"test"})
    share = by_content.smallest_fraction(hashed(keys, seed), test)
    assert "val" in shares(keys, test, share, seed)
    assert "val" not in shares(keys, test, share / 1.1 - 1e-9, seed)


def test_the_smallest_share_has_few_decimals():
    assert by_content.smallest_fraction(hashed(MANY[:7])) == 0.2
    assert by_content.smallest_fraction(hashed(MANY[:50])) == 0.011
    assert by_content.smallest_fraction(hashed(MANY[:50]), test=0.2) == 0.015


def test_no_share_is_enough_for_keys_that_are_all_tested():
    keys = [key for key in MANY[:20] if shares([key], test=0.5) == ["test"]]
    assert by_content.smallest_fraction(hashed(keys), test=0.5) == 1
    assert by_content.smallest_fraction(hashed([])) == 1


def test_deviations_are_points_of_all_images():
    asked, counts = {"train": 0.8, "val": 0.1, "test": 0.1}, {"train": 150, "val": 28, "test": 22}
    assert by_content.deviations(asked, counts) == pytest.approx({"train": -5, "val": 4, "test": 1})
