"""The fused layer does what Keras's own does, and gives way to it."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from stages.training import batch_norm

TOLERANCE = {"float32": 1e-4, "mixed_bfloat16": 4e-2}


@pytest.fixture(autouse=True)
def _full_precision():
    yield
    keras.mixed_precision.set_dtype_policy("float32")


@pytest.fixture(params=TOLERANCE)
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


def test_outputs_have_the_precision_of_the_policy():
    keras.mixed_precision.set_dtype_policy("mixed_bfloat16")
    (inputs,) = batches(1, 2, 3, 3, 2)
    fused, _ = pair(inputs.shape)
    assert fused(inputs, training=True).dtype == fused(inputs, training=False).dtype == tf.bfloat16
    assert {weight.dtype for weight in fused.weights} == {"float32"}


def network():
    """A model with another model inside, as the train stage makes."""
    inner = keras.Sequential(
        [
            keras.Input((6, 6, 2)),
            keras.layers.Conv2D(3, 3),
            batch_norm.BatchNormalization(momentum=0.5, epsilon=1e-2),
            keras.layers.ReLU(),
        ],
        name="inner",
    )
    inputs = keras.Input((6, 6, 2))
    return keras.Model(inputs, keras.layers.Dense(2)(batch_norm.BatchNormalization()(inner(inputs))))


def layers_of(model):
    for layer in model.layers:
        yield from layers_of(layer) if isinstance(layer, keras.Model) else [layer]


def test_the_stock_layers_take_over_with_weights_and_settings():
    keras.utils.set_random_seed(0)
    model = network()
    for inputs in batches(2, 4, 6, 6, 2):
        model(inputs, training=True)
    stock = batch_norm.with_stock_layers(model)
    (inputs,) = batches(1, 4, 6, 6, 2)
    for training in (False, True):
        np.testing.assert_allclose(
            stock(inputs, training=training), model(inputs, training=training), atol=1e-5
        )
    for found, expected in zip(stock.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_the_stock_model_consists_of_layers_of_keras_alone_and_leaves_the_other_as_it_is():
    model = network()
    stock = batch_norm.with_stock_layers(model)
    assert {type(layer).__module__.split(".")[0] for layer in layers_of(stock)} == {"keras"}
    assert [type(layer).__name__ for layer in layers_of(stock)] == [
        type(layer).__name__ for layer in layers_of(model)
    ]
    fused = [layer for layer in layers_of(model) if isinstance(layer, batch_norm.BatchNormalization)]
    assert len(fused) == 2


class Doubled(keras.Model):
    """A network of a class that only this project knows."""

    def call(self, inputs, training=None, mask=None):
        return 2 * super().call(inputs, training=training, mask=mask)


def test_a_model_of_another_class_becomes_a_plain_one_with_its_name_and_weights():
    inputs = keras.Input((3,))
    inner = Doubled(inputs, keras.layers.Dense(2)(inputs), name="inner")
    stock = batch_norm.with_stock_layers(keras.Model(inputs, inner(inputs)))
    plain = stock.get_layer("inner")
    assert type(plain) is type(stock)
    for found, expected in zip(plain.get_weights(), inner.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)
