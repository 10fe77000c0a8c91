"""Batch normalization through XLA is Keras's, in training and in inference."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from stages.layers import batch_norm, processor
from tests import rounding

SHAPE = (8, 5, 4, 3)
VALUES = 8 * 5 * 4  # per channel


@pytest.fixture(params=[True, False], ids=["xla", "fused"])
def layers(request, monkeypatch):
    """This project's layer and Keras's, of the same weights, none of them at its initial value."""
    monkeypatch.setattr(processor, "normalizes_slowly", lambda: request.param)
    both = batch_norm.BatchNormalization(momentum=0.8), keras.layers.BatchNormalization(momentum=0.8)
    weights = np.random.default_rng(1).uniform(0.5, 2, (4, SHAPE[-1])).astype(np.float32)
    for layer in both:
        layer.build(SHAPE)
        layer.set_weights(list(weights))
    return both


def normal(seed, mean=0.0):
    return np.random.default_rng(seed).normal(mean, 2, SHAPE).astype(np.float32)


def trained(layer, inputs, upstream):
    """The outputs, the gradients by inputs, gamma and beta, and the weights after one training step."""
    inputs = tf.constant(inputs)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = layer(inputs, training=True)
    wanted = [inputs, layer.gamma.value, layer.beta.value]
    found = tape.gradient(outputs, wanted, output_gradients=tf.constant(upstream))
    return [np.asarray(each) for each in (outputs, *found, *layer.get_weights())]


def test_a_training_step_is_that_of_keras(layers):
    upstream = normal(2)
    mine, its = (trained(layer, normal(0, mean=3), upstream) for layer in layers)
    for found, expected in zip(mine, its, strict=True):
        # Sums over a channel's values; the terms add up to at most five times the largest result.
        bound = rounding.of_sum(VALUES, 5 * max(np.abs(expected).max(), 1))
        np.testing.assert_allclose(found, expected, rtol=0, atol=bound)


def test_inference_is_that_of_keras(layers):
    mine, its = (np.asarray(layer(normal(0, mean=3), training=False)) for layer in layers)
    np.testing.assert_allclose(mine, its, rtol=0, atol=rounding.of_steps(5, np.abs(its).max()))


def test_a_batch_of_another_size_is_normalized_too(layers):
    mine, its = (np.asarray(layer(normal(0)[:3], training=True)) for layer in layers)
    np.testing.assert_allclose(mine, its, rtol=0, atol=rounding.of_sum(VALUES, 5 * np.abs(its).max()))
