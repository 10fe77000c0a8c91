"""The convolution with a quicker weight gradient is Keras's own, on small maps and large ones."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from stages.layers import convolution
from tests import precisions, rounding

FILTERS = 112
OPTIONS = {"filters": FILTERS, "kernel_size": 3, "bias_initializer": "random_normal"}
CASES = [
    ((6, 7, 7, 104), "same", convolution.by_matrix_products),
    ((6, 3, 3, 104), "same", convolution.by_matrix_products),
    ((6, 1, 1, 104), "same", convolution.by_matrix_products),
    ((6, 2, 5, 104), "same", convolution.by_matrix_products),
    ((6, 6, 6, 64), "same", convolution.by_matrix_products),
    ((6, 7, 6, 104), "valid", convolution.by_matrix_products),
    ((6, 3, 3, 104), "valid", convolution.by_matrix_products),
    ((6, 7, 7, 50), "same", None),
    ((6, 15, 15, 104), "same", None),
    ((205, 9, 10, 4), "same", convolution.in_pieces),
    ((399, 10, 9, 4), "valid", convolution.in_pieces),
]


def gradients(layer, inputs, upstream):
    """The outputs, and the gradients by the inputs and the layer's weights, as float32."""
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = layer(inputs)
    upstream = tf.cast(upstream, outputs.dtype)
    found = tape.gradient(outputs, [inputs, *layer.trainable_variables], output_gradients=upstream)
    return [np.asarray(tf.cast(each, tf.float32)) for each in (outputs, *found)]


def normal(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def assert_same(mine, its, inputs, upstream):
    """Bounds follow from the sums of the terms' absolute values, which Keras's layer computes."""
    magnitudes = type(its).from_config(its.get_config())
    magnitudes.build(inputs.shape)
    magnitudes.set_weights([np.abs(weights) for weights in its.get_weights()])
    sizes = gradients(magnitudes, tf.constant(np.abs(inputs)), np.abs(upstream))
    terms = max(np.prod(its.kernel.shape), np.prod(upstream.shape))  # of the longest of the sums
    found, expected = (gradients(layer, tf.constant(inputs), upstream) for layer in (mine, its))
    for one, other, size in zip(found, expected, sizes, strict=True):
        assert np.all(np.abs(one - other) <= rounding.of_sum(terms, size))


@pytest.mark.parametrize(("shape", "padding", "gradient"), CASES)
def test_outputs_and_gradients_are_those_of_keras(shape, padding, gradient, monkeypatch):
    inputs = normal(shape)
    mine, its = (kind(**OPTIONS, padding=padding) for kind in (convolution.Conv2D, keras.layers.Conv2D))
    upstream = normal(its(inputs).shape, seed=1)
    mine(inputs)
    mine.set_weights(its.get_weights())
    # In float32, where the sums are checked, the layer would leave the gradient to oneDNN.
    monkeypatch.setattr(mine, "own_gradient", lambda *_: gradient)
    assert_same(mine, its, inputs, upstream)


def sparse(shape, seed, share):
    """-1, 0 and 1, so few of them other than 0 that their sums are whole numbers below 256."""
    values = np.random.default_rng(seed).choice([-1, 0, 1], size=shape, p=[share / 2, 1 - share, share / 2])
    return values.astype(np.float32)


@precisions.needs_half
@pytest.mark.parametrize(("shape", "padding", "gradient"), CASES)
def test_in_bfloat16_whole_numbers_have_exact_gradients(shape, padding, gradient):
    # bfloat16 holds whole numbers up to 256, so nothing is rounded, whatever it is added up in.
    mine = convolution.Conv2D(FILTERS, 3, padding=padding, dtype="mixed_bfloat16")
    its = keras.layers.Conv2D(FILTERS, 3, padding=padding)
    inputs = sparse(shape, 0, 0.2)
    outputs = its(inputs)
    mine(inputs)
    kernel = sparse(mine.kernel.shape, 1, 0.2)
    upstream = sparse(outputs.shape, 2, min(0.2, 200 / (len(inputs) * outputs.shape[1] * outputs.shape[2])))
    for layer in (mine, its):
        layer.set_weights([kernel, np.zeros(FILTERS)])
    low = tf.cast(inputs, tf.bfloat16)
    assert mine.own_gradient(low, tf.convert_to_tensor(mine.kernel)) is gradient
    expected = gradients(its, tf.constant(inputs), upstream)
    its.set_weights([np.abs(kernel), np.zeros(FILTERS)])
    sizes = gradients(its, tf.constant(np.abs(inputs)), np.abs(upstream))
    assert max(size.max() for size in sizes) <= 256
    for one, other in zip(gradients(mine, low, upstream), expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("shape", [(6, 7, 7, 104), (205, 9, 10, 4)])
def test_in_float32_the_gradient_is_left_to_onednn(shape):
    layer = convolution.Conv2D(FILTERS, 3)
    layer.build(shape)
    assert layer.own_gradient(tf.zeros(shape), tf.convert_to_tensor(layer.kernel)) is None


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
    inputs = normal((3, 7, 7, 416))
    mine, its = (kind(filters=FILTERS, **options) for kind in (convolution.Conv2D, keras.layers.Conv2D))
    upstream = normal(its(inputs).shape, seed=1)
    mine(inputs)
    mine.set_weights(its.get_weights())
    assert_same(mine, its, inputs, upstream)


@precisions.needs_half
def test_the_gradient_of_a_bias_is_right_in_bfloat16():
    upstream = tf.cast(normal((100, 31, 31, 8)), tf.bfloat16)
    layer = convolution.Conv2D(8, 1, dtype="mixed_bfloat16")
    layer.build(upstream.shape)
    with tf.GradientTape() as tape:
        outputs = layer(upstream)
    found = tape.gradient(outputs, layer.bias, output_gradients=upstream)
    exact = np.sum(np.float64(upstream), axis=(0, 1, 2))
    # Added up in float32 and rounded once to bfloat16.
    added = rounding.of_sum(96_100, np.sum(np.abs(np.float64(upstream)), axis=(0, 1, 2)))
    assert np.all(np.abs(found - exact) <= added + rounding.UNIT["bfloat16"] * np.abs(exact))
