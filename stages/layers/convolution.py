"""A convolution for bfloat16 on a CPU: a faster gradient for its kernel, an accurate one for its bias."""

import itertools
import operator
from collections.abc import Callable
from typing import Any, Literal

import keras
import tensorflow as tf

LARGEST_MAP = 8  # height and width in pixels up to which matrix products are used
FEWEST_CHANNELS = (64, 100)  # least channels for them: of inputs and outputs, the smaller and larger number
CHUNK = 100  # images per piece of a large batch

Padding = Literal["SAME", "VALID"]


class Conv2D(keras.layers.Conv2D):
    """Keras's convolution, with its own kernel gradient on a CPU in bfloat16 where that is faster.

    In bfloat16 oneDNN computes the gradient of a 3x3 kernel at a fraction of the rate of the convolution
    itself. Two methods are faster, measured on two cores with AMX:

    - Matrix products: the gradient consists of nine, one per pixel of the kernel, each of the shifted
      inputs with the output's gradients. On maps up to 8x8 with 100 channels or more they take half the
      time or less (7x7x128: 18 ms instead of 38; 3x3x256: 19 ms instead of 60). For a convolution that
      makes 128 channels from 64 they take three quarters of the time (6x6).
    - Pieces: the batch is split into pieces of 100 images, whose gradients are added up. On larger maps
      they take 0.6 to 0.8 of the time.

    In float32 oneDNN's gradient takes as long as its convolution, both with AVX2 and with AVX-512. Matrix
    products take 1.0 to 1.5 times as long on maps up to 8x8, and pieces 1.0 to 1.2 times: neither is used.
    `python -m benchmarks kernels` measures both on this machine.

    Weights are named and ordered as in Keras's layer, so each of the two layers can replace the other.
    """

    stock = keras.layers.Conv2D

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Convolve, add the bias, activate: [B, H, W, C] to [B, H', W', F]."""
        return self.activation(self.linear(inputs))

    def linear(self, inputs: tf.Tensor) -> tf.Tensor:
        """Convolve and add the bias, without the activation: [B, H, W, C] to [B, H', W', F]."""
        outputs = self.convolution_op(inputs, self.kernel)
        if not self.use_bias:
            return outputs
        add = tf.nn.bias_add if outputs.dtype == tf.float32 else _biased
        return add(outputs, tf.cast(self.bias, outputs.dtype))

    def convolution_op(self, inputs: tf.Tensor, kernel: Any) -> tf.Tensor:
        """Convolve [B, H, W, C] with a kernel [h, w, C, F]."""
        kernel = tf.convert_to_tensor(kernel)
        gradient = self.own_gradient(inputs, kernel)
        if gradient is None:
            return super().convolution_op(inputs, kernel)
        return convolution(inputs, kernel, self.padding.upper(), gradient)

    def own_gradient(self, inputs: tf.Tensor, kernel: tf.Tensor) -> "Gradient | None":
        """Choose how the kernel's gradient is computed; None leaves it to TensorFlow."""
        is_plain = (
            self.kernel_size == (3, 3)
            and self.strides == self.dilation_rate == (1, 1)
            and self.groups == 1
            and self.data_format == "channels_last"
        )
        if not is_plain or inputs.dtype != tf.bfloat16 or tf.config.get_visible_devices("GPU"):
            return None
        batch, height, width, _ = inputs.shape
        if max(height, width) <= LARGEST_MAP:
            enough = all(map(operator.ge, sorted(kernel.shape[2:]), FEWEST_CHANNELS))
            return by_matrix_products if enough else None
        return in_pieces if batch is not None and batch >= 2 * CHUNK else None


@tf.custom_gradient
def _biased(outputs: tf.Tensor, bias: tf.Tensor) -> Any:
    """Add a bias [F] to outputs [B, H, W, F], with a gradient that is accurate in every precision.

    The gradient of TensorFlow's operation, which Keras's layer has too, is BiasAddGrad. It adds up in the
    precision of its input: for 480,000 normal numbers in bfloat16 it gives 716 where the sum is 1,639. A sum
    over the axes is accurate.
    """

    def gradients(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return upstream, tf.reduce_sum(upstream, axis=[0, 1, 2])

    return tf.nn.bias_add(outputs, bias), gradients


Gradient = Callable[[tf.Tensor, tf.Tensor, Padding], tf.Tensor]


def convolution(inputs: tf.Tensor, kernel: tf.Tensor, padding: Padding, kernel_gradient: Gradient) -> Any:
    """Convolve [B, H, W, C] with [3, 3, C, F] and compute the kernel's gradient by the given function.

    The function takes the inputs, the output's gradients [B, H', W', F] and the padding.
    """

    @tf.custom_gradient
    def convolve(inputs: tf.Tensor, kernel: tf.Tensor) -> Any:
        def gradients(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            shape = tf.shape(inputs)
            of_inputs = tf.nn.conv2d_transpose(upstream, kernel, shape, strides=1, padding=padding)
            return of_inputs, kernel_gradient(inputs, upstream, padding)

        return tf.nn.conv2d(inputs, kernel, strides=1, padding=padding), gradients

    return convolve(inputs, kernel)


def by_matrix_products(inputs: tf.Tensor, upstream: tf.Tensor, padding: Padding) -> tf.Tensor:
    """Return the gradient of a kernel, [3, 3, C, F], by one matrix product per pixel of the kernel."""
    _, height, width, filters = upstream.shape
    channels = inputs.shape[-1]
    padded = tf.pad(inputs, [[0, 0], [1, 1], [1, 1], [0, 0]]) if padding == "SAME" else inputs
    shifted = [padded[:, i : i + height, j : j + width] for i in range(3) for j in range(3)]
    of_outputs = tf.reshape(upstream, [-1, filters])
    products = [tf.matmul(tf.reshape(x, [-1, channels]), of_outputs, transpose_a=True) for x in shifted]
    return tf.reshape(tf.stack(products), [3, 3, channels, filters])


def in_pieces(inputs: tf.Tensor, upstream: tf.Tensor, padding: Padding) -> tf.Tensor:
    """Return the gradient of a kernel, [3, 3, C, F], as the sum of the gradients of pieces of the batch."""
    batch = inputs.shape[0]
    bounds = [batch * piece // (batch // CHUNK) for piece in range(batch // CHUNK + 1)]
    shape = [3, 3, inputs.shape[-1], upstream.shape[-1]]
    pieces = [
        tf.raw_ops.Conv2DBackpropFilter(
            input=inputs[begin:end],
            filter_sizes=shape,
            out_backprop=upstream[begin:end],
            strides=[1, 1, 1, 1],
            padding=padding,
        )
        for begin, end in itertools.pairwise(bounds)
    ]
    return tf.cast(tf.add_n([tf.cast(piece, tf.float32) for piece in pieces]), inputs.dtype)
