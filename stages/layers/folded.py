"""A convolution and the fixed batch normalization behind it, as one convolution.

A batch normalization in inference mode multiplies each channel by a number and adds one. The convolution's
kernel can be multiplied instead, which has far fewer values than its outputs. That saves passes over memory,
which take most of the time of small networks such as MobileNetV2.
"""

from typing import Any, NamedTuple

import keras
import tensorflow as tf

from stages.layers import xla

CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)


def is_foldable(convolution: keras.layers.Layer, batch_norm: keras.layers.BatchNormalization) -> bool:
    """True if `Folded` can compute a layer and the batch normalization, over the channels, behind it."""
    return (
        type(convolution) in CONVOLUTIONS
        and convolution.activation is keras.activations.linear
        and convolution.data_format == "channels_last"
        and set(convolution.dilation_rate) == {1}
        and getattr(convolution, "groups", 1) == 1
        and convolution.compute_dtype == batch_norm.compute_dtype
    )


class Folded(keras.layers.Layer):
    """Computes what a convolution of Keras and a batch normalization in inference mode make in turn.

    It shares their weights. The gradients are those of the two layers within rounding, also by the scale and
    the offset of the batch normalization.

    Args:
        convolution: The convolution.
        batch_norm: The batch normalization behind it; `is_foldable` is true of the two.
    """

    def __init__(self, convolution: keras.layers.Layer, batch_norm: keras.layers.BatchNormalization):
        super().__init__(dtype=convolution.dtype_policy)
        self.convolution, self.batch_norm = convolution, batch_norm

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Convolve and normalize [B, H, W, C] to [B, H', W', F]."""
        scale, offset = self._scale_and_offset()
        kernel = tf.cast(tf.convert_to_tensor(self.convolution.kernel), tf.float32)
        # The kernel of a depthwise convolution is [h, w, C, M] for C * M channels of the outputs.
        is_depthwise = isinstance(self.convolution, keras.layers.DepthwiseConv2D)
        kernel *= tf.reshape(scale, kernel.shape[2:]) if is_depthwise else scale
        way = Way(is_depthwise, list(self.convolution.strides), self.convolution.padding.upper())
        return convolve(inputs, tf.cast(kernel, inputs.dtype), tf.cast(offset, inputs.dtype), way)

    def _scale_and_offset(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Return what multiplies the outputs of the convolution without its bias, and what is added then."""
        norm = self.batch_norm
        scale = tf.math.rsqrt(tf.convert_to_tensor(norm.moving_variance) + norm.epsilon)
        scale = scale * tf.convert_to_tensor(norm.gamma) if norm.scale else scale
        mean = tf.convert_to_tensor(norm.moving_mean)
        if self.convolution.use_bias:
            mean -= tf.cast(tf.convert_to_tensor(self.convolution.bias), tf.float32)
        offset = -mean * scale
        return scale, offset + tf.convert_to_tensor(norm.beta) if norm.center else offset


class Way(NamedTuple):
    """How to convolve."""

    is_depthwise: bool
    strides: list[int]  # rows and columns between two outputs
    padding: str  # "SAME" or "VALID"


def convolve(inputs: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor, way: Way) -> tf.Tensor:
    """Convolve [B, H, W, C] and add a bias [F]; on a CPU with quick gradients.

    TensorFlow fuses the bias's gradient with the kernel's, which takes about twice as long as the
    kernel's alone: for float32 [32, 48, 48, 16] to 96 channels 12.6 ms on two AMD EPYC cores. Two products of
    matrices take 8.1 ms.
    """
    if tf.config.get_visible_devices("GPU") or xla.is_traced():
        return _forward(inputs, kernel, bias, way)

    @tf.custom_gradient
    def quick(inputs: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor) -> Any:
        def gradients(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            return *_gradients(inputs, kernel, upstream, way), _sum_over_pixels(upstream)

        return _forward(inputs, kernel, bias, way), gradients

    return quick(inputs, kernel, bias)


def _forward(inputs: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor, way: Way) -> tf.Tensor:
    operation = tf.nn.depthwise_conv2d if way.is_depthwise else tf.nn.conv2d
    return tf.nn.bias_add(operation(inputs, kernel, [1, *way.strides, 1], way.padding), bias)


def _gradients(
    inputs: tf.Tensor, kernel: tf.Tensor, upstream: tf.Tensor, way: Way
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the gradients of a convolution by its inputs and its kernel."""
    if way.is_depthwise:
        return _depthwise_gradients(inputs, kernel, upstream, way)
    if kernel.shape[:2] == (1, 1) and way.strides == [1, 1]:
        return _pixelwise_gradients(inputs, kernel, upstream)
    options = {"strides": [1, *way.strides, 1], "padding": way.padding, "out_backprop": upstream}
    return (
        tf.raw_ops.Conv2DBackpropInput(input_sizes=tf.shape(inputs), filter=kernel, **options),
        tf.raw_ops.Conv2DBackpropFilter(input=inputs, filter_sizes=kernel.shape, **options),
    )


def _pixelwise_gradients(
    inputs: tf.Tensor, kernel: tf.Tensor, upstream: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the gradients of a convolution with a kernel of 1x1, by products of matrices."""
    before, behind = _pixels(inputs), _pixels(upstream)
    of_inputs = tf.matmul(behind, kernel[0, 0], transpose_b=True)
    of_kernel = tf.matmul(before, behind, transpose_a=True)
    return tf.reshape(of_inputs, tf.shape(inputs)), tf.reshape(of_kernel, kernel.shape)


def _depthwise_gradients(
    inputs: tf.Tensor, kernel: tf.Tensor, upstream: tf.Tensor, way: Way
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the gradients of a depthwise convolution.

    With strides, oneDNN's gradient by the inputs takes four to fifty times as long in bfloat16 as in float32
    with casts: for [32, 49, 49, 96] 37 ms instead of 9.
    """
    options = {"strides": [1, *way.strides, 1], "padding": way.padding}
    precision = inputs.dtype if way.strides == [1, 1] else tf.float32
    of_inputs = tf.raw_ops.DepthwiseConv2dNativeBackpropInput(
        input_sizes=tf.shape(inputs),
        filter=tf.cast(kernel, precision),
        out_backprop=tf.cast(upstream, precision),
        **options,
    )
    of_kernel = tf.raw_ops.DepthwiseConv2dNativeBackpropFilter(
        input=inputs, filter_sizes=kernel.shape, out_backprop=upstream, **options
    )
    return tf.cast(of_inputs, inputs.dtype), of_kernel


def _sum_over_pixels(upstream: tf.Tensor) -> tf.Tensor:
    """Return the sums [F] of [B, H, W, F], by a product of matrices, which reads memory fastest."""
    pixels = _pixels(upstream)
    return tf.matmul(tf.ones([1, tf.shape(pixels)[0]], pixels.dtype), pixels)[0]


def _pixels(images: tf.Tensor) -> tf.Tensor:
    return tf.reshape(images, [-1, images.shape[-1]])
