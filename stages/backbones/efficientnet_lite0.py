"""EfficientNet-Lite0: EfficientNet-B0 for phones, without squeeze-and-excitation and with ReLU6.

EfficientNet is Tan and Le's (2019, https://arxiv.org/abs/1905.11946), and its Lite kind is described at
https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite. The dropping of whole
blocks during its training is left out: here it is fine-tuned, briefly. Layers are named such that
"blocks.0.bn1" has the weights that PyTorch's copies of the network call "_blocks.0._bn1".
"""

from typing import Any, NamedTuple

import keras

STEM, HEAD = 32, 1280  # channels
EPSILON = 1e-3  # of batch normalization
MOMENTUM = 0.99  # of batch normalization's statistics
CENTER, RADIUS = 127.0, 128.0  # pixels are scaled to (pixel - CENTER) / RADIUS
CLASSES = 1000  # of ImageNet


class _Stage(NamedTuple):
    """Blocks in a row with the same output; only the first one has the stride."""

    expansion: int  # of the channels, within a block
    channels: int
    blocks: int
    kernel_size: int
    stride: int


STAGES = [
    _Stage(1, 16, 1, 3, 1),
    _Stage(6, 24, 2, 3, 2),
    _Stage(6, 40, 2, 5, 2),
    _Stage(6, 80, 3, 3, 2),
    _Stage(6, 112, 3, 5, 1),
    _Stage(6, 192, 4, 5, 2),
    _Stage(6, 320, 1, 3, 1),
]


def create(include_top: bool, weights: None, input_shape: tuple[int, int, int]) -> keras.Model:
    """Create the network with random weights, as the functions of Keras Applications do.

    Args:
        include_top: True adds global average pooling and the logits of ImageNet's classes.
        weights: None.
        input_shape: (H, W, C).

    Returns:
        A model from float [B, H, W, C], see `scale`, to float [B, H / 32, W / 32, HEAD], or to float
        [B, CLASSES].
    """
    inputs = keras.Input(input_shape)
    x = _convolution(inputs, "conv_stem", STEM, kernel_size=3, strides=2)
    x = _relu6(_batch_norm(x, "bn0"))
    number = 0
    for stage in STAGES:
        for index in range(stage.blocks):
            stride = stage.stride if index == 0 else 1
            x = _block(x, f"blocks.{number}", stage._replace(stride=stride))
            number += 1
    x = _relu6(_batch_norm(_convolution(x, "conv_head", HEAD), "bn1"))
    if include_top:
        x = keras.layers.GlobalAveragePooling2D()(x)
        x = keras.layers.Dense(CLASSES, name="fc")(x)
    return keras.Model(inputs, x, name="efficientnet_lite0")


def scale(pixels: keras.KerasTensor) -> keras.KerasTensor:
    """Scale pixels from 0..255 to about -1..1, as the network was trained."""
    return keras.layers.Rescaling(1 / RADIUS, offset=-CENTER / RADIUS, dtype="float32")(pixels)


def torch_name(layer: str) -> str:
    """Return the name that PyTorch's copies of the network give to a layer of this one."""
    return ".".join(part if part.isdecimal() else f"_{part}" for part in layer.split("."))


def _block(inputs: keras.KerasTensor, name: str, block: _Stage) -> keras.KerasTensor:
    """Build an inverted residual block: expand the channels, convolve each, project to fewer, add."""
    x, channels = inputs, inputs.shape[-1]
    if block.expansion != 1:
        x = _convolution(x, f"{name}.expand_conv", block.expansion * channels)
        x = _relu6(_batch_norm(x, f"{name}.bn0"))
    x = keras.layers.DepthwiseConv2D(
        block.kernel_size, block.stride, padding="same", use_bias=False, name=f"{name}.depthwise_conv"
    )(x)
    x = _relu6(_batch_norm(x, f"{name}.bn1"))
    x = _batch_norm(_convolution(x, f"{name}.project_conv", block.channels), f"{name}.bn2")
    if block.stride == 1 and channels == block.channels:
        x = keras.layers.Add()([x, inputs])
    return x


def _convolution(
    x: keras.KerasTensor, name: str, filters: int, kernel_size: int = 1, **options: Any
) -> keras.KerasTensor:
    layer = keras.layers.Conv2D(filters, kernel_size, padding="same", use_bias=False, name=name, **options)
    return layer(x)


def _batch_norm(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return keras.layers.BatchNormalization(momentum=MOMENTUM, epsilon=EPSILON, name=name)(x)


def _relu6(x: keras.KerasTensor) -> keras.KerasTensor:
    return keras.layers.ReLU(max_value=6.0)(x)
