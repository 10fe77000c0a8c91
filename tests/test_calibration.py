"""Bins and errors agree with cases worked by hand and with simulated models."""

import numpy as np
import pytest

from stages.reporting import calibration
from tests.six_images import ACTUAL, PROBABILITIES

# Confidences of the six images: 0.8, 0.5, 0.7, 0.6, 0.6, 0.9; right: the first, third and fourth.


def error(actual, probabilities, count):
    return calibration.error(calibration.bins(actual, probabilities, count))


def one_hot(labels):
    return np.eye(3, dtype=np.float32)[labels]


def test_bins_are_worked_by_hand():
    found = calibration.bins(ACTUAL, PROBABILITIES, 4)
    assert found.images.tolist() == [0, 0, 4, 2]
    assert found.right.tolist() == [0, 0, 2, 1]
    np.testing.assert_allclose(found.confidence, [0, 0, 2.4, 1.7], rtol=1e-6)
    np.testing.assert_allclose(found.variance, [0, 0, 0.25 + 0.21 + 0.24 + 0.24, 0.16 + 0.09], rtol=1e-6)


def test_the_error_is_worked_by_hand():
    assert error(ACTUAL, PROBABILITIES, 4) == pytest.approx((abs(2.4 - 2) + abs(1.7 - 1)) / 6)


def test_with_one_bin_the_error_is_mean_confidence_less_accuracy():
    generator = np.random.default_rng(0)
    actual, probabilities = generator.integers(0, 4, 200), generator.dirichlet(np.ones(4), 200)
    gap = probabilities.max(axis=1).mean() - np.mean(probabilities.argmax(axis=1) == actual)
    assert error(actual, probabilities, 1) == pytest.approx(abs(gap))


def test_full_confidence_falls_into_the_last_bin():
    sure_and_nearly = np.array([[1.0, 0.0], [0.95, 0.05]])
    assert error(np.array([1, 0]), sure_and_nearly, 10) == pytest.approx((1.95 - 1) / 2)


def test_sure_predictions_are_calibrated_only_if_right():
    assert error(ACTUAL, one_hot(ACTUAL), 15) == 0
    assert error(ACTUAL, one_hot((ACTUAL + 1) % 3), 15) == 1
    assert calibration.error_by_chance(calibration.bins(ACTUAL, one_hot(ACTUAL), 15)) == 0


@pytest.mark.parametrize(("images", "count"), [(300, 15), (3000, 5)])
def test_a_calibrated_model_errs_on_average_as_chance_has_it(images, count):
    generator = np.random.default_rng(0)
    first = generator.uniform(0.5, 1, images)
    probabilities = np.transpose([first, 1 - first])
    drawn = [
        calibration.bins((generator.random(images) > first).astype(int), probabilities, count)
        for _ in range(300)
    ]
    expected = calibration.error_by_chance(drawn[0])
    assert np.mean([calibration.error(each) for each in drawn]) == pytest.approx(expected, rel=0.06)
