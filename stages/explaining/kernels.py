"""Extract the filters that a trained model applies to the pixels. A model in, arrays out."""

import math
from typing import NamedTuple

import keras
import numpy as np

from stages.layers import find


class Kernels(NamedTuple):
    """A layer's name and its filters, float32 [n, h, w, c]."""

    layer: str
    values: np.ndarray


def first(model: keras.Model) -> Kernels | None:
    """Return the kernels of the first convolution; without one, the weights of a dense layer on all pixels.

    A depthwise convolution has filters of one channel each. The weights of a dense unit are put back into
    the shape of the image.

    Args:
        model: From images [B, H, W, C] to anything; it may hold other models.

    Returns:
        The kernels, or None if the model has neither layer.
    """
    convolutions = find.of_kind(model, find.CONVOLUTIONS)
    if convolutions:
        return Kernels(convolutions[0].name, _of_convolution(convolutions[0]))
    shape = model.input_shape[1:]
    for dense in find.of_kind(model, find.DENSE)[:1]:
        kernel = _numpy(dense.kernel)
        if len(kernel) == math.prod(shape):
            return Kernels(dense.name, kernel.T.reshape(-1, *shape))
    return None


def _of_convolution(layer: keras.layers.Layer) -> np.ndarray:
    if isinstance(layer, keras.layers.Conv2D):
        return _numpy(layer.kernel).transpose(3, 0, 1, 2)  # from [h, w, inputs, filters]
    separable = isinstance(layer, keras.layers.SeparableConv2D)
    kernel = _numpy(layer.depthwise_kernel if separable else layer.kernel)  # [h, w, inputs, multiplier]
    return kernel.reshape(*kernel.shape[:2], 1, -1).transpose(3, 0, 1, 2)


def _numpy(weights: keras.Variable) -> np.ndarray:
    return keras.ops.convert_to_numpy(keras.ops.cast(weights, "float32"))
