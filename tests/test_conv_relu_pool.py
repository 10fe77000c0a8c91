"""Rectifying after the pooling gives what rectifying before it does, gradients too."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from stages.classifier import stock_layers
from stages.layers import conv_relu_pool
from tests import rounding


def ours(use_bias):
    inputs = keras.Input((9, 8, 3))
    options = {"use_bias": use_bias, "bias_initializer": "random_normal"}
    return keras.Model(inputs, conv_relu_pool.conv_relu_pool(inputs, 5, 3, **options))


def of_keras(use_bias):
    inputs = keras.Input((9, 8, 3))
    convolution = keras.layers.Conv2D(5, 3, activation="relu", use_bias=use_bias)
    return keras.Model(inputs, keras.layers.MaxPooling2D(2)(convolution(inputs)))


def outputs_and_gradients(model, images):
    with tf.GradientTape() as tape:
        outputs = model(images)
        total = tf.reduce_sum(outputs * np.random.default_rng(1).normal(size=outputs.shape))
    return [outputs, *tape.gradient(total, model.trainable_variables)]


@pytest.mark.parametrize("use_bias", [True, False])
def test_outputs_and_gradients_are_those_of_keras(use_bias):
    mine, its = ours(use_bias), of_keras(use_bias)
    mine.set_weights(its.get_weights())
    images = np.random.default_rng(0).normal(size=(6, 9, 8, 3)).astype(np.float32)
    found, expected = (outputs_and_gradients(model, images) for model in (mine, its))
    assert (np.asarray(found[0]) == 0).any() and (np.asarray(found[0]) > 0).any()
    for one, other in zip(found, expected, strict=True):
        # Sums over the 6x7x6 outputs of 27 products each.
        bound = rounding.of_sum(6 * 42 * 27, max(np.abs(other).max(), 1) * 10)
        np.testing.assert_allclose(one, other, rtol=0, atol=bound)


def test_the_saved_model_is_the_same_in_keras_layers():
    mine = ours(True)
    stock = stock_layers.with_stock_layers(mine)
    images = np.random.default_rng(0).normal(size=(6, 9, 8, 3)).astype(np.float32)
    bound = rounding.of_sum(27, 27)
    np.testing.assert_allclose(stock(images), mine(images), rtol=0, atol=bound)
    assert [type(layer) for layer in stock.layers[1:]] == [keras.layers.Conv2D, keras.layers.MaxPooling2D]
