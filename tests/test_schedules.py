"""The learning rate rises, takes its shape and ends where it should."""

import keras
import numpy as np
import pytest

from stages.training import schedules

SHAPES = ["constant", "linear", "cosine"]


def rates(shape, steps=10, warmup_steps=0, final_fraction=0.0, peak=2.0):
    schedule = schedules.WarmupThenDecay(peak, shape, steps, warmup_steps, final_fraction)
    return [float(schedule(step)) for step in range(steps + 1)]


@pytest.mark.parametrize("shape", SHAPES)
def test_the_warm_up_rises_by_equal_steps_to_the_peak(shape):
    np.testing.assert_allclose(rates(shape, warmup_steps=4)[:4], [0.5, 1.0, 1.5, 2.0])


@pytest.mark.parametrize("shape", SHAPES)
def test_without_warm_up_the_first_step_has_the_peak(shape):
    assert rates(shape)[0] == 2.0


@pytest.mark.parametrize(("shape", "last"), [("constant", 2.0), ("linear", 0.5), ("cosine", 0.5)])
@pytest.mark.parametrize("warmup_steps", [0, 3])
def test_only_decays_end_at_the_final_fraction_of_the_peak(shape, last, warmup_steps):
    assert rates(shape, warmup_steps=warmup_steps, final_fraction=0.25)[-1] == pytest.approx(last)


def test_constant_stays_at_the_peak_despite_a_final_fraction():
    assert rates("constant", warmup_steps=2)[2:] == [2.0] * 9


def test_linear_falls_by_equal_steps():
    np.testing.assert_allclose(
        np.diff(rates("linear", warmup_steps=2, final_fraction=0.5)[2:]), -1 / 8, rtol=1e-5
    )


def test_cosine_is_that_of_keras():
    reference = keras.optimizers.schedules.CosineDecay(2.0, 10, alpha=0.1)
    found = rates("cosine", final_fraction=0.1)
    np.testing.assert_allclose(found, [float(reference(step)) for step in range(11)], rtol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_after_the_end_the_rate_stays(shape):
    schedule = schedules.WarmupThenDecay(2.0, shape, steps=10, warmup_steps=3, final_fraction=0.25)
    assert float(schedule(1000)) == float(schedule(10))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("warmup_steps", [10, 25])
def test_a_warm_up_as_long_as_the_training_or_longer_just_rises(shape, warmup_steps):
    expected = 2.0 * np.arange(1, 11) / warmup_steps
    np.testing.assert_allclose(rates(shape, warmup_steps=warmup_steps)[:10], expected, rtol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_schedule_made_from_its_config_is_the_same(shape):
    schedule = schedules.WarmupThenDecay(2.0, shape, steps=10, warmup_steps=3, final_fraction=0.25)
    again = schedules.WarmupThenDecay.from_config(schedule.get_config())
    assert [float(again(step)) for step in range(11)] == [float(schedule(step)) for step in range(11)]


def test_an_optimizer_follows_it_from_step_to_step():
    schedule = schedules.WarmupThenDecay(2.0, "linear", steps=4, warmup_steps=2, final_fraction=0.0)
    optimizer = keras.optimizers.SGD(schedule)
    weight = keras.Variable(0.0)
    places = []
    for _ in range(4):
        optimizer.apply([np.float32(-1)], [weight])
        places.append(float(weight))
    np.testing.assert_allclose(np.diff([0.0, *places]), [1.0, 2.0, 2.0, 1.0])
