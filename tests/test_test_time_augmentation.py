"""Looks at a test image are weighted as they should be, in operations of Keras's own."""

import keras
import numpy as np
import pytest

from stages.classifier import test_time_augmentation
from tests import rounding

SHAPE = (5, 6, 2)


@pytest.fixture
def network():
    """Logits that depend on where in the image a value is."""
    inputs = keras.Input(SHAPE)
    return keras.Model(inputs, keras.layers.Dense(3, kernel_initializer="normal")(flat(inputs)))


def flat(inputs):
    return keras.layers.Flatten()(inputs)


def looking(network, count):
    inputs = keras.Input(SHAPE)
    return keras.Model(inputs, test_time_augmentation.logits(network, inputs, count))


# Sums over the pixels of an image, weighted by normal numbers, and means of six of them.
BOUND = rounding.of_sum(6 * 6 * 3, 6 * 6 * 3)


def images():
    return np.random.default_rng(0).normal(size=(4, *SHAPE)).astype(np.float32)


def shifted(pixels, rows, columns):
    padded = np.pad(pixels, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")
    return padded[:, 1 + rows : 6 + rows, 1 + columns : 7 + columns]


def test_one_view_is_the_image(network):
    np.testing.assert_allclose(looking(network, 1)(images()), network(images()), atol=BOUND)


def test_two_views_are_the_image_and_its_mirror_image(network):
    expected = (network(images()) + network(images()[:, :, ::-1])) / 2
    np.testing.assert_allclose(looking(network, 2)(images()), expected, atol=BOUND)


def test_of_six_views_the_two_unshifted_count_half(network):
    def both(pixels):
        return network(pixels) + network(pixels[:, :, ::-1])

    expected = both(images()) / 4
    for step in (-1, 1):
        expected += both(shifted(images(), step, step)) / 8
    np.testing.assert_allclose(looking(network, 6)(images()), expected, atol=BOUND)


@pytest.mark.parametrize("count", [1, 2, 6])
def test_averaging_views_adds_no_weights_and_the_model_loads(network, count, tmp_path):
    model = looking(network, count)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.count_params() == network.count_params()
    np.testing.assert_allclose(loaded(images()), model(images()), atol=BOUND)
