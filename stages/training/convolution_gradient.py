"""A 3x3 convolution whose weight gradient is quick on small maps, where the CPU's is slow."""

from typing import Any

import keras
import tensorflow as tf

LARGEST_MAP = 8  # height and width in pixels up to which the matrix products win
FEWEST_CHANNELS = 100


class Conv2D(keras.layers.Conv2D):
    """Keras's convolution; on the CPU, maps up to 8x8 get their weight gradient by matrix products.

    oneDNN computes the gradient of a kernel of 3x3 pixels at a fraction of the rate of the
    convolution itself when maps are small. It is a sum of nine matrix products, one per pixel of the
    kernel, of the shifted inputs with the output's gradients.

    Weights are named and ordered as in Keras's layer, so either can take the other's place.
    """

    stock = keras.layers.Conv2D

    def convolution_op(self, inputs: tf.Tensor, kernel: Any) -> tf.Tensor:
        """Convolve [B, H, W, C] with [3, 3, C, F]."""
        kernel = tf.convert_to_tensor(kernel)
        if not self._has_slow_gradient(inputs, kernel):
            return super().convolution_op(inputs, kernel)
        return same_convolution(inputs, kernel)

    def _has_slow_gradient(self, inputs: tf.Tensor, kernel: tf.Tensor) -> bool:
        return (
            not tf.config.get_visible_devices("GPU")
            and self.padding == "same"
            and self.kernel_size == (3, 3)
            and self.strides == self.dilation_rate == (1, 1)
            and self.groups == 1
            and max(inputs.shape[1], inputs.shape[2]) <= LARGEST_MAP
            and min(kernel.shape[2:]) >= FEWEST_CHANNELS
        )


@tf.custom_gradient
def same_convolution(inputs: tf.Tensor, kernel: tf.Tensor) -> Any:
    """Convolve [B, H, W, C] with [3, 3, C, F], padded with zeros to [B, H, W, F]."""
    outputs = tf.nn.conv2d(inputs, kernel, strides=1, padding="SAME")

    def gradients(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        of_inputs = tf.nn.conv2d_transpose(upstream, kernel, tf.shape(inputs), strides=1, padding="SAME")
        return of_inputs, _kernel_gradient(inputs, upstream)

    return outputs, gradients


def _kernel_gradient(inputs: tf.Tensor, upstream: tf.Tensor) -> tf.Tensor:
    _, height, width, channels = inputs.shape
    padded = tf.pad(inputs, [[0, 0], [1, 1], [1, 1], [0, 0]])
    shifted = [padded[:, i : i + height, j : j + width] for i in range(3) for j in range(3)]
    of_outputs = tf.reshape(upstream, [-1, upstream.shape[-1]])
    products = [tf.matmul(tf.reshape(x, [-1, channels]), of_outputs, transpose_a=True) for x in shifted]
    return tf.reshape(tf.stack(products), [3, 3, channels, upstream.shape[-1]])
