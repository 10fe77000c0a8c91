"""Draws depend on seed, view, image and column, and on nothing else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.inputs import draws

seeds = st.integers(0, 2**32 - 1)
views = st.integers(0, 998)
indices = st.lists(st.integers(0, 2**40), max_size=20).map(lambda each: np.array(each, np.int64))


def splitmix64(state):
    """One step of the published generator, in plain integers."""
    z = state
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % 2**64
    return z ^ (z >> 31)


@given(seeds, views, indices, st.integers(1, 4))
def test_the_numbers_of_an_image_do_not_depend_on_the_others(seed, view, images, columns):
    together = draws.uniform(seed, view, images, columns)
    alone = [draws.uniform(seed, view, images[i : i + 1], columns)[0] for i in range(len(images))]
    assert together.shape == (len(images), columns)
    assert together.tolist() == [each.tolist() for each in alone]


@given(seeds, views, indices, st.integers(1, 4))
def test_further_columns_leave_the_first_ones_unchanged(seed, view, images, columns):
    wide = draws.uniform(seed, view, images, columns + 2)
    np.testing.assert_array_equal(draws.uniform(seed, view, images, columns), wide[:, :columns])


@given(seeds, views, indices)
def test_draws_are_float32_from_0_to_below_1(seed, view, images):
    numbers = draws.uniform(seed, view, images, 5)
    assert numbers.dtype == np.float32
    assert np.all((numbers >= 0) & (numbers < 1))


def test_draws_are_the_hash_they_are_said_to_be_on_every_machine():
    gamma = 0x9E3779B97F4A7C15
    state = splitmix64((splitmix64((3 + gamma) % 2**64) + 5) % 2**64)
    state = splitmix64((state + 7 * gamma) % 2**64)
    expected = [(splitmix64((state + column * gamma) % 2**64) >> 40) / 2**24 for column in (1, 2)]
    assert draws.uniform(3, 5, np.array([7]), 2).tolist() == [expected]


@pytest.mark.parametrize(
    "other",
    [
        draws.uniform(1, 0, np.arange(1000), 2)[:, 0],
        draws.uniform(0, 1, np.arange(1000), 2)[:, 0],
        draws.uniform(0, 0, np.arange(1000), 2)[:, 1],
        draws.uniform(0, 0, np.arange(1, 1001), 2)[:, 0],
    ],
    ids=["seed", "view", "column", "neighbour"],
)
def test_another_seed_view_column_or_image_is_unrelated(other):
    numbers = draws.uniform(0, 0, np.arange(1000), 2)[:, 0]
    assert np.mean(numbers == other) < 0.01
    assert abs(np.corrcoef(numbers, other)[0, 1]) < 0.1


def test_draws_are_roughly_uniform():
    numbers = draws.uniform(0, 0, np.arange(16_000), 4)
    counts = np.array([np.histogram(column, bins=16, range=(0, 1))[0] for column in numbers.T])
    assert np.all(np.abs(counts - 1000) < 5 * np.sqrt(1000))


@given(seeds, views, st.integers(0, 50))
def test_a_permutation_holds_every_place_once_and_is_repeatable(seed, view, count):
    order = draws.permutation(seed, view, count)
    assert sorted(order) == list(range(count))
    np.testing.assert_array_equal(order, draws.permutation(seed, view, count))


def test_views_and_seeds_have_their_own_permutations():
    orders = {tuple(draws.permutation(seed, view, 20)) for seed in range(3) for view in range(3)}
    assert len(orders) == 9
