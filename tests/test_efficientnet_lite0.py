"""EfficientNet-Lite0 computes what PyTorch's implementation of it does."""

import keras
import numpy as np
import pytest

from stages.backbones import efficientnet_lite0, torch_layers
from tests import torch_files

# From the package efficientnet-lite-pytorch 0.1.0 with PyTorch 2.13: features of images(), with the tensors
# torch_files.lite0(), averaged over the positions; channels 0 to 5 of two images, and all of them.
FEATURES = [
    [3.72347, 0.32931, 0.10243, 5.63165, 1.76271, 0.28638],
    [4.34622, 1.03908, 0.0, 4.27689, 1.8563, 1.02645],
]
MEAN_FEATURE = 1.460556


@pytest.fixture(scope="module")
def network():
    model = efficientnet_lite0.create(include_top=False, weights=None, input_shape=(64, 64, 3))
    torch_layers.assign(model, torch_files.lite0(), efficientnet_lite0.torch_name)
    return model


def images():
    return np.random.default_rng(1).uniform(-1, 1, (2, 64, 64, 3)).astype(np.float32)


def test_the_features_are_those_of_pytorch(network):
    features = np.asarray(network(images(), training=False))
    assert features.shape == (2, 2, 2, 1280)
    np.testing.assert_allclose(features.mean(axis=(1, 2))[:, :6], FEATURES, atol=2e-4)
    assert features.mean() == pytest.approx(MEAN_FEATURE, abs=1e-5)


def test_it_has_the_published_number_of_parameters():
    """4.7 million in the paper; the file has 49 counters of batches besides: 4,694,073 values."""
    model = efficientnet_lite0.create(include_top=True, weights=None, input_shape=(224, 224, 3))
    assert model.count_params() == 4_694_073 - 49
    assert model.output_shape == (None, 1000)


def test_pixels_are_scaled_as_the_published_training_did():
    inputs = keras.Input((1, 1, 3))
    scale = keras.Model(inputs, efficientnet_lite0.scale(inputs))
    pixels = np.array([0, 127, 255], np.float32).reshape(1, 1, 1, 3)
    np.testing.assert_allclose(scale(pixels)[0, 0, 0], [-127 / 128, 0, 1], atol=1e-6)


@pytest.mark.parametrize(
    ("layer", "name"),
    [("conv_stem", "_conv_stem"), ("blocks.12.bn1", "_blocks.12._bn1"), ("fc", "_fc")],
)
def test_a_layer_is_named_as_in_pytorch(layer, name):
    assert efficientnet_lite0.torch_name(layer) == name


def test_it_consists_of_layers_of_keras(network):
    assert {type(layer).__module__.split(".")[0] for layer in network.layers} == {"keras"}
