"""The convolution with a quicker weight gradient is Keras's own, on small maps and large ones."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from stages.training import convolution_gradient

TOLERANCE = {"float32": 1e-5, "mixed_bfloat16": 2e-2}


@pytest.fixture(params=TOLERANCE)
def tolerance(request):
    keras.mixed_precision.set_dtype_policy(request.param)
    yield TOLERANCE[request.param]
    keras.mixed_precision.set_dtype_policy("float32")


def gradients(layer, inputs):
    """Of a weighted sum of the outputs, with respect to the inputs and the layer's weights."""
    inputs = tf.constant(inputs)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = tf.cast(layer(inputs), tf.float32)
        weights = np.random.default_rng(1).normal(size=outputs.shape).astype(np.float32)
        total = tf.reduce_sum(outputs * weights)
    return outputs, *tape.gradient(total, [inputs, *layer.trainable_variables])


def assert_same(found, expected, tolerance):
    scale = np.abs(expected).max()
    np.testing.assert_allclose(np.asarray(found) / scale, np.asarray(expected) / scale, atol=tolerance)


@pytest.mark.parametrize("shape", [(7, 7), (3, 3), (1, 1), (2, 5), (15, 15)])
def test_outputs_and_gradients_are_those_of_keras(shape, tolerance):
    inputs = np.random.default_rng(0).normal(size=(6, *shape, 104)).astype(np.float32)
    options = {"filters": 112, "kernel_size": 3, "padding": "same", "bias_initializer": "random_normal"}
    mine, its = convolution_gradient.Conv2D(**options), keras.layers.Conv2D(**options)
    mine(inputs), its(inputs)
    mine.set_weights(its.get_weights())
    small = max(shape) <= convolution_gradient.LARGEST_MAP
    assert mine._has_slow_gradient(tf.constant(inputs), tf.convert_to_tensor(mine.kernel)) == small
    for found, expected in zip(gradients(mine, inputs), gradients(its, inputs), strict=True):
        assert_same(found, expected, tolerance)


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 5, "padding": "same"},
        {"kernel_size": 3, "padding": "valid"},
        {"kernel_size": 3, "padding": "same", "strides": 2},
        {"kernel_size": 3, "padding": "same", "dilation_rate": 2},
        {"kernel_size": 3, "padding": "same", "groups": 4},
    ],
)
def test_other_convolutions_are_keras_own(options):
    inputs = np.random.default_rng(0).normal(size=(3, 7, 7, 416)).astype(np.float32)
    mine, its = (kind(filters=112, **options) for kind in (convolution_gradient.Conv2D, keras.layers.Conv2D))
    mine(inputs), its(inputs)
    mine.set_weights(its.get_weights())
    for found, expected in zip(gradients(mine, inputs), gradients(its, inputs), strict=True):
        assert_same(found, expected, 1e-5)
