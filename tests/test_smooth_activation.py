"""Compiled SiLU and GELU are Keras's, and so are their gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from stages.training import portable, smooth_activation

TOLERANCE = {"float32": 1e-5, "mixed_bfloat16": 2e-2, "mixed_float16": 2e-3}
VALUES = np.random.default_rng(0).normal(0, 3, (5, 4, 3, 2)).astype(np.float32)


def outputs_and_gradient(layer):
    inputs = tf.cast(VALUES, layer.compute_dtype)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = layer(inputs)
        total = tf.reduce_sum(tf.cast(outputs, tf.float32) * VALUES)
    return outputs, tape.gradient(total, inputs)


@pytest.mark.parametrize("policy", TOLERANCE)
@pytest.mark.parametrize("name", ["silu", "gelu", "relu"])
def test_outputs_and_gradients_are_those_of_keras_in_full_precision(name, policy):
    found = outputs_and_gradient(smooth_activation.Activation(name, dtype=policy))
    expected = outputs_and_gradient(keras.layers.Activation(name))
    for mine, its in zip(found, expected, strict=True):
        assert mine.dtype == policy.removeprefix("mixed_")
        tolerance = TOLERANCE[policy]
        np.testing.assert_allclose(tf.cast(mine, tf.float32), its, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", ["silu", "gelu"])
def test_far_from_zero_values_and_gradients_stay_finite(name):
    layer, inputs = smooth_activation.Activation(name), tf.constant([-60.0, -20.0, 20.0, 60.0])
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = layer(inputs)
    np.testing.assert_allclose(outputs, [0, 0, 20, 60], atol=1e-5)
    np.testing.assert_allclose(tape.gradient(outputs, inputs), [0, 0, 1, 1], atol=1e-6)


def test_a_model_of_it_takes_batches_of_any_size_and_is_saved_in_keras_layers():
    inputs = keras.Input((4, 3, 2))
    model = keras.Model(inputs, smooth_activation.Activation("gelu")(inputs))
    assert model.output_shape == (None, 4, 3, 2)
    stock = portable.with_stock_layers(model)
    assert type(stock.layers[1]) is keras.layers.Activation
    for count in (1, 5):
        np.testing.assert_allclose(model(VALUES[:count]), stock(VALUES[:count]), atol=1e-6)
