"""Activations are what the layers compute, in models that hold other models."""

import keras
import numpy as np
import pytest

from stages.explaining import activations
from stages.layers import find
from tests import precisions, tiny

L = keras.layers


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), np.uint8)


def test_feature_maps_are_outputs_of_convolutions_and_poolings(images):
    conv, pool = L.Conv2D(5, 3, activation="relu", name="conv"), L.MaxPooling2D(name="pool")
    model = tiny.nested_model(conv, L.BatchNormalization(), pool, custom=True)
    before = model(images).numpy()
    (first, maps), (second, pooled) = activations.feature_maps(model, images, 9, 4)
    assert (first, second) == ("conv\n6 x 6 x 5", "pool\n3 x 3 x 5")
    expected = conv(images / np.float32(255)).numpy()
    np.testing.assert_allclose(maps, expected[..., :4], atol=1e-6)
    np.testing.assert_allclose(pooled, pool(L.BatchNormalization()(expected))[..., :4], atol=1e-5)
    assert maps.dtype == pooled.dtype == np.float32
    np.testing.assert_array_equal(model(images).numpy(), before)


def test_reading_feature_maps_leaves_the_model_as_it_was(images, tmp_path):
    model = tiny.nested_model(L.Conv2D(2, 3, name="conv"))
    activations.feature_maps(model, images, 9, 4)
    (conv,) = find.of_kind(model, find.CONVOLUTIONS)
    assert "call" not in vars(conv)
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "model.keras")(images), model(images))


def test_an_error_leaves_the_model_as_it_was_too(images):
    model = tiny.nested_model(L.Conv2D(2, 3))
    with pytest.raises(ValueError):
        activations.feature_maps(model, images[..., :2], 9, 4)
    (conv,) = find.of_kind(model, find.CONVOLUTIONS)
    assert "call" not in vars(conv)


def test_without_a_convolution_dense_layers_are_shown(images):
    model = tiny.nested_model(L.Flatten(), L.Dense(7, activation="relu", name="hidden"))
    (first, hidden), (second, logits) = activations.feature_maps(model, images, 9, 4)
    assert (first, second) == ("hidden\n7", "logits\n2")
    assert (hidden.shape, logits.shape) == ((2, 7), (2, 2))


def test_of_a_deep_network_layers_are_spread_over_the_depth(images):
    model = tiny.nested_model(*[L.Conv2D(2, 1, name=f"conv_{i}") for i in range(21)])
    found = activations.feature_maps(model, images, 5, 4)
    assert [title.split("\n")[0] for title, _ in found] == [f"conv_{i}" for i in (0, 5, 10, 15, 20)]


def test_a_network_without_layers_of_either_kind_has_no_maps(images):
    pixels = keras.Input((8, 8, 3))
    assert activations.feature_maps(keras.Model(pixels, L.Flatten()(pixels)), images, 9, 4) == []


@pytest.mark.parametrize("policy", precisions.HALVES)
def test_half_precision_becomes_float32(images, policy):
    model = tiny.nested_model(L.Conv2D(2, 3, dtype=policy))
    ((_, maps),) = activations.feature_maps(model, images, 9, 4)
    assert maps.dtype == np.float32 and np.isfinite(maps).all()


def test_layers_of_a_nested_sequential_model_are_found(images):
    model = tiny.nested_model(keras.Sequential([L.Conv2D(3, 3, name="inside"), L.ReLU()]))
    ((title, _),) = activations.feature_maps(model, images, 9, 4)
    assert title == "inside\n6 x 6 x 3"


def test_a_model_of_mirror_images_too_shows_the_image_itself(images):
    pixels, network = keras.Input((8, 8, 3)), keras.Sequential([L.Conv2D(2, 3), L.GlobalMaxPooling2D()])
    both = L.Average()([network(pixels), network(keras.ops.flip(pixels, axis=2))])
    ((_, maps),) = activations.feature_maps(keras.Model(pixels, both), images, 9, 2)
    np.testing.assert_allclose(maps, network.layers[0](images.astype(np.float32)), atol=1e-3)
