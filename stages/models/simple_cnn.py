"""The classic small convolutional network: convolution and pooling a few times, then dense layers.

The pattern is LeNet's (LeCun et al., "Gradient-based learning applied to document recognition", 1998), with
ReLU, max-pooling and dropout. It suits grey images of digits and clothes, and is the first step up from
`dense`. At 28x28x1 and ten classes, filters [64, 64] and units [128] make 243,786 parameters.
"""

from collections.abc import Sequence
from typing import Annotated

import keras
import pydantic

from stages.layers import conv_relu_pool, dropout
from stages.running import errors, paramfile

Count = Annotated[int, pydantic.Field(ge=1)]


class Options(paramfile.Section):
    """Options of the network simple_cnn."""

    filters: list[Count] = pydantic.Field(min_length=1)  # per convolution
    kernel_size: int = pydantic.Field(ge=1)  # pixels, of each convolution
    units: list[Count]  # per hidden dense layer; [] has none
    dropout: float = pydantic.Field(ge=0, lt=1)  # after each pooling and each hidden dense layer


def build(image_shape: Sequence[int], num_classes: int, options: Options) -> keras.Model:
    """Build the network for normalized images, up to its logits.

    For each entry of `filters`: convolution (valid), ReLU, max-pooling 2x2, dropout. Then the values are
    flattened. For each entry of `units`: dense, ReLU, dropout. The last layer is dense.

    Args:
        image_shape: (H, W, C).
        num_classes: K.
        options: See `Options`.

    Returns:
        A model from float [B, H, W, C] to float32 [B, K].

    Raises:
        errors.BadInput: the images are too small for that many convolutions.
    """
    smallest = smallest_size(len(options.filters), options.kernel_size)
    if min(image_shape[:2]) < smallest:
        model = f"simple_cnn with {len(options.filters)} convolutions of kernel_size {options.kernel_size}"
        remedy = "give train.model.filters fewer entries, lower train.model.kernel_size,"
        raise errors.too_small(model, smallest, image_shape, remedy)
    inputs = keras.Input(image_shape, name="images")
    x = inputs
    for count in options.filters:
        x = conv_relu_pool.conv_relu_pool(x, count, options.kernel_size)
        x = dropout.Dropout(options.dropout)(x)
    x = keras.layers.Flatten()(x)
    for count in options.units:
        x = keras.layers.Dense(count, activation="relu")(x)
        x = dropout.Dropout(options.dropout)(x)
    logits = keras.layers.Dense(num_classes, dtype="float32")(x)
    return keras.Model(inputs, logits, name="simple_cnn")


def smallest_size(convolutions: int, kernel_size: int) -> int:
    """Return the least height and width in pixels that leave one pixel after the convolutions."""
    size = 1
    for _ in range(convolutions):
        size = 2 * size + kernel_size - 1  # pooling halves what the valid convolution leaves
    return size
