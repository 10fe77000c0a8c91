"""A multilayer perceptron: dense layers on the flattened image, blind to which pixels are neighbours.

It is the baseline that a convolutional network has to beat, and fast on small images. With one layer of
128 units it is the network of TensorFlow's introduction to image classification
(https://www.tensorflow.org/tutorials/keras/classification): 101,770 parameters at 28x28x1 and ten
classes.
"""

from collections.abc import Sequence
from typing import Annotated

import keras
import pydantic

from stages.running import paramfile


class Options(paramfile.Section):
    """Options of the network dense."""

    units: list[Annotated[int, pydantic.Field(ge=1)]]  # per hidden layer; [] is softmax regression
    dropout: float = pydantic.Field(ge=0, lt=1)  # share of activations dropped after each hidden layer


def build(image_shape: Sequence[int], num_classes: int, options: Options) -> keras.Model:
    """Build the network for normalized images, up to its logits.

    The image is flattened. Each hidden layer is dense, ReLU, dropout. The last layer is dense.

    Args:
        image_shape: (H, W, C).
        num_classes: K.
        options: See `Options`.

    Returns:
        A model from float [B, H, W, C] to float32 [B, K].
    """
    inputs = keras.Input(image_shape, name="images")
    x = keras.layers.Flatten()(inputs)
    for count in options.units:
        x = keras.layers.Dense(count, activation="relu")(x)
        x = keras.layers.Dropout(options.dropout)(x)
    logits = keras.layers.Dense(num_classes, dtype="float32")(x)
    return keras.Model(inputs, logits, name="dense")
