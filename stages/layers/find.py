"""Find layers in a trained model, however deeply it is nested."""

from collections.abc import Iterator

import keras

CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.SeparableConv2D)
POOLINGS = (keras.layers.AveragePooling2D, keras.layers.MaxPooling2D)
DENSE = (keras.layers.Dense,)


def of_kind(model: keras.Model, kinds: tuple[type, ...]) -> list[keras.layers.Layer]:
    """Return a model's layers of the given classes in order; a nested model's layers come in its place."""
    return [layer for layer in _all(model) if isinstance(layer, kinds)]


def _all(model: keras.Model) -> Iterator[keras.layers.Layer]:
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _all(layer)
        else:
            yield layer
