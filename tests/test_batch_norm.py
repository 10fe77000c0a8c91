"""The fused layer does what Keras's own does."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from stages.layers import batch_norm
from tests import precisions, rounding

# What is normalized is up to five deviations large, and a gradient sums over 160 values of a channel.
# bfloat16 holds inputs, outputs and upstream gradients; between them is float32.
TOLERANCE = {
    "float32": rounding.of_sum(160, 5),
    "mixed_bfloat16": rounding.of_steps(5, precision="bfloat16"),
}


@pytest.fixture(autouse=True)
def _full_precision():
    yield
    keras.mixed_precision.set_dtype_policy("float32")


@pytest.fixture(params=["float32", precisions.BFLOAT16])
def tolerance(request):
    keras.mixed_precision.set_dtype_policy(request.param)
    return TOLERANCE[request.param]


def pair(shape, **options):
    """The fused layer and Keras's, with the same weights, none of them at its initial value."""
    layers = [kind(**options) for kind in (batch_norm.BatchNormalization, keras.layers.BatchNormalization)]
    generator = np.random.default_rng(1)
    weights = [generator.uniform(0.5, 2, shape[-1]).astype(np.float32) for _ in range(4)]
    for layer in layers:
        layer.build(shape)
        layer.set_weights(weights)
    return layers


def batches(count, *shape):
    generator = np.random.default_rng(0)
    return [generator.normal(3, 2, shape).astype(np.float32) for _ in range(count)]


def step(layer, inputs, upstream):
    """Outputs and the gradients by inputs, gamma and beta of one training step."""
    inputs = tf.cast(inputs, layer.compute_dtype)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = layer(inputs, training=True)
        loss = tf.reduce_sum(tf.cast(outputs, tf.float32) * upstream)
    gradients = tape.gradient(loss, [inputs, layer.gamma.value, layer.beta.value])
    return [tf.cast(each, tf.float32).numpy() for each in (outputs, *gradients)]


@pytest.mark.parametrize("shape", [(8, 5, 4, 3), (1, 1, 1, 2)])
def test_training_is_that_of_keras(tolerance, shape):
    fused, stock = pair(shape, momentum=0.8)
    upstream = np.random.default_rng(2).normal(size=shape).astype(np.float32)
    for inputs in batches(3, *shape):
        for found, expected in zip(step(fused, inputs, upstream), step(stock, inputs, upstream), strict=True):
            np.testing.assert_allclose(
                found, expected, rtol=tolerance, atol=tolerance * np.ptp(expected) + 1e-6
            )
    for found, expected in zip(fused.get_weights(), stock.get_weights(), strict=True):
        np.testing.assert_allclose(found, expected, rtol=tolerance / 4)


def test_inference_is_that_of_keras_and_moves_no_statistics(tolerance):
    (inputs,) = batches(1, 8, 5, 4, 3)
    fused, stock = pair(inputs.shape, epsilon=1e-2)
    before = fused.get_weights()
    found, expected = (tf.cast(layer(inputs, training=False), tf.float32) for layer in (fused, stock))
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)
    np.testing.assert_array_equal(fused.get_weights(), before)


def test_a_frozen_layer_uses_and_keeps_its_moving_statistics():
    (inputs,) = batches(1, 8, 5, 4, 3)
    fused, _ = pair(inputs.shape)
    fused.trainable = False
    before = fused.get_weights()
    np.testing.assert_array_equal(fused(inputs, training=True), fused(inputs, training=False))
    np.testing.assert_array_equal(fused.get_weights(), before)


@precisions.needs_half
def test_outputs_have_the_precision_of_the_policy():
    keras.mixed_precision.set_dtype_policy("mixed_bfloat16")
    (inputs,) = batches(1, 2, 3, 3, 2)
    fused, _ = pair(inputs.shape)
    assert fused(inputs, training=True).dtype == fused(inputs, training=False).dtype == tf.bfloat16
    assert {weight.dtype for weight in fused.weights} == {"float32"}
