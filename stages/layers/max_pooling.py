"""Max-pooling whose gradient XLA can compile even when operations have to be deterministic."""

import functools

import keras
import tensorflow as tf

from stages.layers import find, xla


class MaxPooling2D(keras.layers.MaxPooling2D):
    """Keras's max-pooling; under XLA, the maximum of slices of the input where its windows lie side by side.

    TensorFlow refuses to compile the gradient of its pooling while operations have to be deterministic
    ("GPU MaxPool gradient ops do not yet have a deterministic XLA implementation").
    """

    stock = keras.layers.MaxPooling2D

    @property
    def is_of_slices(self) -> bool:
        """True if the windows tile the input (stride = pool size, no padding), with the channels last."""
        side_by_side = tuple(self.strides) == tuple(self.pool_size) and self.padding == "valid"
        return side_by_side and self.data_format == "channels_last"

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Pool: [B, H, W, C] to [B, H', W', C]."""
        if xla.is_traced() and self.is_of_slices:
            return largest_of_slices(inputs, self.pool_size)
        return super().call(inputs)


def is_refused(network: keras.Model) -> bool:
    """True if a network has a max-pooling that XLA does not compile when operations are deterministic."""
    poolings = find.of_kind(network, (keras.layers.MaxPooling2D,))
    return any(not getattr(pooling, "is_of_slices", False) for pooling in poolings)


def largest_of_slices(inputs: tf.Tensor, window: tuple[int, int]) -> tf.Tensor:
    """Return the largest value of each window; the gradient goes to the first of equals, as in max-pooling.

    Args:
        inputs: [B, H, W, C].
        window: Height and width in pixels; rows and columns after the last whole window are left out.

    Returns:
        [B, H // height, W // width, C].
    """
    height, width = window
    bottom, right = (size - size % step for size, step in zip(inputs.shape[1:3], window, strict=True))
    slices = [inputs[:, i:bottom:height, j:right:width] for i in range(height) for j in range(width)]
    return functools.reduce(tf.maximum, slices)
