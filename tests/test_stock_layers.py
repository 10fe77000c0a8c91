"""Models of this project's layers give way to Keras's own, with weights and settings."""

import keras
import numpy as np

from stages.classifier import stock_layers
from stages.layers import batch_norm, convolution
from tests import rounding


def network():
    """A model with another model inside, as the train stage makes."""
    inner = keras.Sequential(
        [
            keras.Input((6, 6, 2)),
            convolution.Conv2D(3, 3),
            batch_norm.BatchNormalization(momentum=0.5, epsilon=1e-2),
            keras.layers.ReLU(),
        ],
        name="inner",
    )
    inputs = keras.Input((6, 6, 2))
    return keras.Model(inputs, keras.layers.Dense(2)(batch_norm.BatchNormalization()(inner(inputs))))


# Four images of sums over up to 6x6x2 values, normalized twice.
BOUND = rounding.of_sum(4 * 72, 50)


def layers_of(model):
    for layer in model.layers:
        yield from layers_of(layer) if isinstance(layer, keras.Model) else [layer]


def test_the_stock_layers_take_over_with_weights_and_settings():
    keras.utils.set_random_seed(0)
    model = network()
    inputs, *others = np.random.default_rng(0).normal(2, 3, (3, 4, 6, 6, 2)).astype(np.float32)
    for each in others:
        model(each, training=True)
    stock = stock_layers.with_stock_layers(model)
    for training in (False, True):
        np.testing.assert_allclose(
            stock(inputs, training=training), model(inputs, training=training), atol=BOUND
        )
    for found, expected in zip(stock.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(found, expected, atol=BOUND)


def test_a_stock_copy_has_only_keras_layers_unlike_its_original():
    model = network()
    stock = stock_layers.with_stock_layers(model)
    assert {type(layer).__module__.split(".")[0] for layer in layers_of(stock)} == {"keras"}
    assert [type(layer).__name__ for layer in layers_of(stock)] == [
        type(layer).__name__ for layer in layers_of(model)
    ]
    own = (batch_norm.BatchNormalization, convolution.Conv2D)
    assert len([layer for layer in layers_of(model) if isinstance(layer, own)]) == 3


class Doubled(keras.Model):
    """A network of a class that only this project knows."""

    def call(self, inputs, training=None, mask=None):
        return 2 * super().call(inputs, training=training, mask=mask)


def test_a_subclassed_model_becomes_a_plain_one_with_its_weights():
    inputs = keras.Input((3,))
    inner = Doubled(inputs, keras.layers.Dense(2)(inputs), name="inner")
    stock = stock_layers.with_stock_layers(keras.Model(inputs, inner(inputs)))
    plain = stock.get_layer("inner")
    assert type(plain) is type(stock)
    for found, expected in zip(plain.get_weights(), inner.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)
