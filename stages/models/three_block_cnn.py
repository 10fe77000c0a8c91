"""A plain convolutional network: by default three blocks of two convolutions each.

At 32x32x3 and three classes it has 289,443 parameters, 288,995 of them trainable.
"""

from collections.abc import Sequence
from typing import Annotated

import keras
import pydantic

from stages.layers import batch_norm, conv_relu_pool, convolution, dropout
from stages.running import errors, paramfile


class Options(paramfile.Section):
    """Options of the network three_block_cnn."""

    filters: list[Annotated[int, pydantic.Field(ge=1)]] = pydantic.Field(min_length=1)  # per block
    dropout: float = pydantic.Field(ge=0, lt=1)  # share of activations dropped after each block
    batch_norm_momentum: float = pydantic.Field(ge=0, lt=1)  # momentum of the moving statistics, per step


def build(image_shape: Sequence[int], num_classes: int, options: Options) -> keras.Model:
    """Build the network for normalized images, up to its logits.

    Each block is: convolution 3x3 (same), ReLU, batch normalization, convolution 3x3 (valid), ReLU,
    max-pooling 2x2, dropout. Then the values are flattened. The last layer is dense.

    Args:
        image_shape: (H, W, C).
        num_classes: K.
        options: See `Options`.

    Returns:
        A model from float [B, H, W, C] to float32 [B, K].

    Raises:
        errors.BadInput: the images are too small for that many blocks.
    """
    smallest = smallest_size(len(options.filters))
    if min(image_shape[:2]) < smallest:
        model = f"three_block_cnn with {len(options.filters)} blocks"
        raise errors.too_small(model, smallest, image_shape, "give train.model.filters fewer entries,")
    inputs = keras.Input(image_shape, name="images")
    x = inputs
    for count in options.filters:
        x = convolution.Conv2D(count, 3, padding="same", activation="relu")(x)
        x = batch_norm.BatchNormalization(momentum=options.batch_norm_momentum)(x)
        x = conv_relu_pool.conv_relu_pool(x, count, 3)
        x = dropout.Dropout(options.dropout)(x)
    x = keras.layers.Flatten()(x)
    logits = keras.layers.Dense(num_classes, dtype="float32")(x)
    return keras.Model(inputs, logits, name="three_block_cnn")


def smallest_size(blocks: int) -> int:
    """Return the least height and width in pixels that leave one pixel after the blocks."""
    size = 1
    for _ in range(blocks):
        size = 2 * size + 2  # a valid 3x3 convolution takes two pixels away, pooling halves the rest
    return size
