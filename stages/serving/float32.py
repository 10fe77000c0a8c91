"""Rebuild a trained model so that it computes in float32, by constants that every runtime takes."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

PRECISION = "float32"


def rebuilt(model: keras.Model) -> keras.Model:
    """Return the same model and weights with every layer in float32, whatever it was trained in."""
    return _rebuilt(model, _in_float32)


def without_normalization(model: keras.Model) -> keras.Model:
    """Return the same model and weights in float32, with a `Rescaling` in the place of each `Normalization`.

    A `Normalization` has constants that are part of no graph: converters take them for inputs. What a
    `Rescaling` gives differs in the last bits.
    """
    return _rebuilt(model, _as_rescaling)


def _rebuilt(model: keras.Model, change: Callable[[keras.layers.Layer], keras.layers.Layer]) -> keras.Model:
    pairs = []

    def clone(operation: Any) -> Any:  # a layer, or a function of keras.ops
        if isinstance(operation, keras.Model):
            return _rebuilt(operation, change)
        if not isinstance(operation, keras.layers.Layer):
            return operation.from_config(operation.get_config())
        pairs.append((operation, change(operation)))
        return pairs[-1][1]

    made = keras.models.clone_model(model, clone_function=clone)
    for layer, changed in pairs:
        if changed.weights:
            changed.set_weights(layer.get_weights())
    return made


def _in_float32(layer: keras.layers.Layer) -> keras.layers.Layer:
    return layer.from_config({**layer.get_config(), "dtype": PRECISION})


def _as_rescaling(layer: keras.layers.Layer) -> keras.layers.Layer:
    if not isinstance(layer, keras.layers.Normalization):
        return _in_float32(layer)
    mean, variance = (np.ravel(np.asarray(each, np.float64)) for each in (layer.mean, layer.variance))
    scale = 1 / np.maximum(np.sqrt(variance), keras.backend.epsilon())
    return keras.layers.Rescaling(scale.tolist(), (-mean * scale).tolist(), dtype=PRECISION, name=layer.name)
