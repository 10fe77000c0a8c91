"""Max-pooling is Keras's, and XLA compiles its gradient with determinism."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from stages.classifier import stock_layers
from stages.layers import max_pooling, xla
from tests import precisions


@pytest.fixture(scope="module", autouse=True)
def _determinism():
    tf.config.experimental.enable_op_determinism()


def values(shape, dtype="float32", ties=False):
    drawn = np.random.default_rng(0).normal(size=shape)
    return tf.constant(np.round(drawn) if ties else drawn, dtype)


def gradient(pool, inputs):
    """Compute the gradient of a weighted sum, so that no two windows can be taken for each other."""
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = pool(inputs)
        weights = tf.reshape(tf.range(1, tf.size(outputs) + 1), tf.shape(outputs))
        total = tf.reduce_sum(tf.cast(weights, outputs.dtype) * outputs)
    return tape.gradient(total, inputs)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("dtype", ["float32", pytest.param("bfloat16", marks=precisions.needs_half)])
@pytest.mark.parametrize(
    ("shape", "window"), [((3, 6, 4, 2), 2), ((2, 7, 5, 3), 2), ((2, 9, 7, 1), 3), ((1, 5, 9, 2), (1, 4))]
)
def test_compiled_values_and_gradients_are_kerass(shape, window, dtype, ties):
    inputs = values(shape, dtype, ties)
    mine, keras_own = (
        kind(window, dtype=dtype) for kind in (max_pooling.MaxPooling2D, keras.layers.MaxPooling2D)
    )
    np.testing.assert_array_equal(xla.compiled(mine)(inputs), keras_own(inputs))
    found = xla.compiled(lambda inputs: gradient(mine, inputs))(inputs)
    np.testing.assert_array_equal(found, gradient(keras_own, inputs))


def test_outside_of_xla_it_is_keras_operation():
    traced = tf.function(max_pooling.MaxPooling2D(2)).get_concrete_function(values((1, 4, 4, 1)))
    assert "MaxPool" in [operation.type for operation in traced.graph.get_operations()]


@pytest.mark.parametrize(
    ("layer", "refused"),
    [
        (max_pooling.MaxPooling2D(2), False),
        (max_pooling.MaxPooling2D(3, strides=2), True),
        (max_pooling.MaxPooling2D(2, padding="same"), True),
        (keras.layers.MaxPooling2D(2), True),
        (keras.layers.GlobalMaxPooling2D(), False),
        (keras.layers.AveragePooling2D(2), False),
    ],
)
def test_what_is_called_refused_is_what_xla_refuses(layer, refused):
    inner = keras.Sequential([keras.Input((4, 4, 1)), layer])
    network = keras.Sequential([keras.Input((4, 4, 1)), inner])
    assert max_pooling.is_refused(network) == refused
    compiled = xla.compiled(lambda inputs: gradient(network, inputs))
    if not refused:
        assert np.isfinite(compiled(values((2, 4, 4, 1)))).all()
        return
    with pytest.raises(tf.errors.UnimplementedError, match="deterministic"):
        compiled(values((2, 4, 4, 1)))


def test_the_saved_model_has_kerass_layer():
    network = keras.Sequential([keras.Input((4, 4, 1)), max_pooling.MaxPooling2D(2)])
    assert type(stock_layers.with_stock_layers(network).layers[0]) is keras.layers.MaxPooling2D
