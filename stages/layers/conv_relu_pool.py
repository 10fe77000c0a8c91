"""Convolution, max-pooling and ReLU in this order, so that ReLU runs on a quarter of the values.

The maximum of rectified values is the rectified maximum, so the outputs are the same as with ReLU before the
pooling. So are the gradients: in both orders they are zero where no value is positive, and otherwise go to
the largest value. On two CPU cores the gradient of a ReLU before a 2x2 pooling took a sixth of the step of a
small network.
"""

from typing import Any

import keras
import tensorflow as tf

from stages.layers import convolution, max_pooling


def conv_relu_pool(x: keras.KerasTensor, filters: int, kernel_size: int, **options: Any) -> keras.KerasTensor:
    """Convolve, max-pool 2x2, then ReLU: the same values as ReLU before pooling, on a quarter of them.

    Args:
        x: float [B, H, W, C].
        filters: F.
        kernel_size: Height and width of the kernel, in pixels; without padding.
        options: Other arguments of Keras's `Conv2D`.

    Returns:
        float [B, (H - kernel_size + 1) // 2, (W - kernel_size + 1) // 2, F].
    """
    return MaxPooling2D(2)(Conv2D(filters, kernel_size, activation="relu", **options)(x))


class Conv2D(convolution.Conv2D):
    """Keras's convolution with ReLU, except that the ReLU is left to the `MaxPooling2D` that follows."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Convolve and add the bias: [B, H, W, C] to [B, H', W', F]."""
        return self.linear(inputs)


class MaxPooling2D(max_pooling.MaxPooling2D):
    """Max-pooling, followed by the ReLU that the `Conv2D` before it leaves out."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Pool and rectify: [B, H, W, C] to [B, H', W', C]."""
        return tf.nn.relu(super().call(inputs))
