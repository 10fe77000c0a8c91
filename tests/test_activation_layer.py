"""Compiled SiLU and GELU are Keras's, and so are their gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from stages.classifier import stock_layers
from stages.layers import activation
from tests import precisions, rounding

# Computed in float32 by some ten operations, then rounded to the layer's precision; so are the inputs, and
# the slope of a gradient carries their rounding on.
TOLERANCE = {
    policy: rounding.of_steps(10) + rounding.of_steps(2, precision=policy.removeprefix("mixed_"))
    for policy in ("float32", "mixed_bfloat16", "mixed_float16")
}
VALUES = np.random.default_rng(0).normal(0, 3, (5, 4, 3, 2)).astype(np.float32)


def outputs_and_gradient(layer):
    inputs = tf.cast(VALUES, layer.compute_dtype)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = layer(inputs)
        total = tf.reduce_sum(tf.cast(outputs, tf.float32) * VALUES)
    return outputs, tape.gradient(total, inputs)


@pytest.mark.parametrize("policy", precisions.ALL)
@pytest.mark.parametrize("name", ["silu", "gelu", "relu"])
def test_outputs_and_gradients_are_those_of_full_precision_keras(name, policy):
    found = outputs_and_gradient(activation.Activation(name, dtype=policy))
    expected = outputs_and_gradient(keras.layers.Activation(name))
    for mine, its in zip(found, expected, strict=True):
        assert mine.dtype == policy.removeprefix("mixed_")
        tolerance = TOLERANCE[policy]
        size = np.abs(its).max()
        np.testing.assert_allclose(tf.cast(mine, tf.float32), its, rtol=0, atol=tolerance * size)


@pytest.mark.parametrize("name", ["silu", "gelu"])
def test_far_from_zero_values_and_gradients_stay_finite(name):
    layer, inputs = activation.Activation(name), tf.constant([-60.0, -20.0, 20.0, 60.0])
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = layer(inputs)
    bound = rounding.of_steps(10, 60)
    np.testing.assert_allclose(outputs, [0, 0, 20, 60], atol=bound)
    np.testing.assert_allclose(tape.gradient(outputs, inputs), [0, 0, 1, 1], atol=bound)


def test_a_model_takes_any_batch_and_is_saved_in_keras_layers():
    inputs = keras.Input((4, 3, 2))
    model = keras.Model(inputs, activation.Activation("gelu")(inputs))
    assert model.output_shape == (None, 4, 3, 2)
    stock = stock_layers.with_stock_layers(model)
    assert type(stock.layers[1]) is keras.layers.Activation
    for count in (1, 5):
        bound = rounding.of_steps(10, np.abs(VALUES).max())
        np.testing.assert_allclose(model(VALUES[:count]), stock(VALUES[:count]), rtol=0, atol=bound)
