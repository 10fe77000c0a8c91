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


@pytest.mark.parametrize(
    ("shape", "padding", "expected"),
    [
        ((6, 7, 7, 104), "same", convolution_gradient.by_matrix_products),
        ((6, 3, 3, 104), "same", convolution_gradient.by_matrix_products),
        ((6, 1, 1, 104), "same", convolution_gradient.by_matrix_products),
        ((6, 2, 5, 104), "same", convolution_gradient.by_matrix_products),
        ((6, 6, 6, 64), "same", convolution_gradient.by_matrix_products),
        ((6, 7, 6, 104), "valid", convolution_gradient.by_matrix_products),
        ((6, 3, 3, 104), "valid", convolution_gradient.by_matrix_products),
        ((6, 7, 7, 50), "same", None),
        ((6, 15, 15, 104), "same", None),
        ((205, 9, 10, 4), "same", convolution_gradient.in_pieces),
        ((399, 10, 9, 4), "valid", convolution_gradient.in_pieces),
    ],
)
def test_outputs_and_gradients_are_those_of_keras(shape, padding, expected, tolerance):
    inputs = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    options = {"filters": 112, "kernel_size": 3, "padding": padding, "bias_initializer": "random_normal"}
    mine = convolution_gradient.Conv2D(**options)
    its = keras.layers.Conv2D(**options, dtype="float32")  # in bfloat16 its bias's gradient is wrong
    mine(inputs), its(inputs)
    mine.set_weights(its.get_weights())
    assert mine._own_gradient(tf.constant(inputs), tf.convert_to_tensor(mine.kernel)) is expected
    for found, wanted in zip(gradients(mine, inputs), gradients(its, inputs), strict=True):
        assert_same(found, wanted, tolerance)


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 5, "padding": "same"},
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


def test_the_gradient_of_a_bias_is_right_in_bfloat16_too():
    upstream = tf.cast(np.random.default_rng(0).normal(size=(100, 31, 31, 8)), tf.bfloat16)
    layer = convolution_gradient.Conv2D(8, 1, dtype="mixed_bfloat16")
    layer.build(upstream.shape)
    with tf.GradientTape() as tape:
        outputs = layer(upstream)
    found = tape.gradient(outputs, layer.bias, output_gradients=upstream)
    np.testing.assert_allclose(found, np.sum(np.float64(upstream), axis=(0, 1, 2)), rtol=0.01)
