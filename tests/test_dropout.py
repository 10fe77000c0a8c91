"""Dropout from bytes drops at its rate, keeps the mean and is Keras's own outside training."""

import numpy as np
import pytest
import tensorflow as tf

from stages.layers import dropout, xla
from tests import precisions, rounding

ONES = np.ones((50, 37, 23), np.float32)
FIVE_DEVIATIONS = 5 * 0.5 / ONES.size**0.5


@pytest.mark.parametrize("rate", [0.1, 0.25, 0.5, 0.9])
def test_values_are_dropped_at_the_rate_and_the_mean_is_kept(rate):
    found = np.asarray(dropout.Dropout(rate, seed=1)(ONES, training=True))
    # A rate is rounded to 1/256; a share of N independent draws has a deviation of at most 0.5 / sqrt(N).
    assert (found == 0).mean() == pytest.approx(rate, abs=1 / 512 + FIVE_DEVIATIONS)
    assert np.unique(found).size == 2
    scale = 256 / (256 - round(rate * 256))
    assert found.max() == pytest.approx(scale, rel=rounding.of_steps(1))
    assert found.mean() == pytest.approx(1, abs=scale * FIVE_DEVIATIONS + 1e-4)


def test_neighbours_are_dropped_independently():
    kept = np.asarray(dropout.Dropout(0.5, seed=1)(ONES, training=True)) > 0
    for axis in range(3):
        a, b = np.moveaxis(kept, axis, 0)[:-1], np.moveaxis(kept, axis, 0)[1:]
        assert (a & b).mean() == pytest.approx(0.25, abs=2 * FIVE_DEVIATIONS)  # pairs share values


def test_every_call_draws_anew_and_a_seed_repeats_them():
    first, second = (dropout.Dropout(0.5, seed=7) for _ in range(2))
    calls = [np.asarray(first(ONES, training=True)) for _ in range(2)]
    assert (calls[0] != calls[1]).any()
    np.testing.assert_array_equal(calls, [second(ONES, training=True) for _ in range(2)])


def test_compiled_by_xla_it_drops_the_same():
    plain, compiled = (dropout.Dropout(0.5, seed=7) for _ in range(2))
    drop = xla.compiled(lambda inputs: compiled(inputs, training=True))
    for _ in range(2):
        np.testing.assert_array_equal(drop(tf.constant(ONES)), plain(ONES, training=True))


def test_gradients_pass_where_values_do():
    layer, ones = dropout.Dropout(0.5, seed=1), tf.constant(ONES)
    with tf.GradientTape() as tape:
        tape.watch(ones)
        outputs = layer(ones, training=True)
    np.testing.assert_array_equal(tape.gradient(outputs, ones), outputs)


@pytest.mark.parametrize(("rate", "training"), [(0.0, True), (0.5, False), (0.001, True)])
def test_nothing_is_dropped_outside_training_or_without_a_rate(rate, training):
    np.testing.assert_array_equal(dropout.Dropout(rate)(ONES, training=training), ONES)


def test_noise_shapes_and_rates_beyond_a_byte_are_left_to_keras():
    whole_rows = np.asarray(dropout.Dropout(0.5, noise_shape=(50, 1, 1), seed=1)(ONES, training=True))
    assert (whole_rows == whole_rows[:, :1, :1]).all()
    assert np.asarray(dropout.Dropout(0.9999, seed=1)(ONES, training=True)).mean() < 1.5


@pytest.mark.parametrize("policy", precisions.HALVES)
def test_the_type_is_kept(policy):
    outputs = dropout.Dropout(0.5, dtype=policy)(ONES, training=True)
    assert outputs.dtype == policy.removeprefix("mixed_")
