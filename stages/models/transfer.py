"""Transfer learning: a network trained on ImageNet, without its top, and a new head for these classes.

It is for few images, or for photographs: what the backbone learned on ImageNet is reused. The recipe is
Keras's (https://keras.io/guides/transfer_learning/): train the head while the layer named "backbone" is
frozen, then fine-tune the whole network.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import keras
import pydantic

from stages.backbones import keras_applications, packaged
from stages.layers import inference_mode
from stages.running import errors, paramfile

NORMALIZE = "none"  # required value of records.normalize: the network scales pixels as its backbone expects

SMALLEST = 32  # pixels of height and width that every backbone takes

BACKBONES = {**keras_applications.BACKBONES, **packaged.BACKBONES}


class Options(paramfile.Section):
    """Options of the network transfer."""

    backbone: str  # a key of BACKBONES
    weights: Literal["imagenet", "file", "none"]  # published weights, those of train.weights, or random ones
    image_size: int = pydantic.Field(ge=SMALLEST)  # pixels; images are resized to this height and width
    dropout: float = pydantic.Field(ge=0, lt=1)  # share of the features dropped before the head

    @pydantic.field_validator("backbone")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in BACKBONES:
            raise errors.unknown("backbone", name, BACKBONES)
        return name


def build(image_shape: Sequence[int], num_classes: int, options: Options) -> keras.Model:
    """Build the network for pixels 0..255, up to its logits.

    The steps are: resizing (bilinear, to a square), three channels from grey, the backbone's own
    preprocessing, the backbone, global average pooling, dropout, a dense layer.

    Args:
        image_shape: (H, W, C), where C is 1 (grey) or 3 (RGB).
        num_classes: K.
        options: See `Options`.

    Returns:
        A model from float [B, H, W, C] to float32 [B, K]; its layer "backbone" is a model.

    Raises:
        errors.BadInput: the images have another number of channels.
    """
    if (channels := image_shape[-1]) not in (1, 3):
        raise errors.BadInput(f"transfer expects images of 1 or 3 channels, received {channels}")
    size = options.image_size
    inputs = keras.Input(image_shape, name="images")
    x = keras.layers.Resizing(size, size, dtype="float32")(inputs)
    if channels == 1:
        x = keras.layers.Concatenate(dtype="float32")([x, x, x])
    x = BACKBONES[options.backbone].scale(x)
    x = _backbone(options)(x, training=False)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dropout(options.dropout)(x)
    logits = keras.layers.Dense(num_classes, dtype="float32")(x)
    return keras.Model(inputs, logits, name="transfer")


def _backbone(options: Options) -> keras.Model:
    shape = (options.image_size, options.image_size, 3)
    model = BACKBONES[options.backbone].create(include_top=False, weights=None, input_shape=shape)
    return inference_mode.InferenceMode(model.input, model.output, name="backbone")


def load(network: keras.Model, path: Path | None, options: Options) -> None:
    """Load the weights that `options.weights` asks for into the backbone.

    Args:
        network: As `build` returns it.
        path: The file that `train.weights` names, with weights of the backbone without its top
            (.weights.h5, .keras, .h5 or what is published); None if it names nothing.
        options: See `Options`.

    Raises:
        errors.BadInput: the file is missing, is not asked for or does not fit, or the published weights
            cannot be fetched.
    """
    if (path is not None) != (options.weights == "file"):
        found = "nothing" if path is None else path
        raise errors.BadInput(
            f"train.model.weights is {options.weights}, but train.weights names {found}; to use a file of"
            " yours, put it into data/weights and set train.model.weights to file; else leave data/weights"
            " empty"
        )
    if path is None and options.weights == "none":
        return
    path = path or _published(options.backbone)
    if not path.is_file():
        raise errors.BadInput(f"train.weights: expected one file of weights, found no file at {path}")
    weights = BACKBONES[options.backbone].weights
    try:
        weights.load(network.get_layer("backbone"), path)
    except errors.BadInput as error:
        *others, last = weights.suffixes
        raise errors.BadInput(
            f"train.weights: expected weights of {options.backbone} without its top, in a file"
            f" {', '.join(others)} or {last}; received {error}"
        ) from error


def _published(name: str) -> Path:
    try:
        return BACKBONES[name].weights.fetch()
    except errors.StageError as error:
        raise errors.Unreachable(
            f"could not fetch the weights of {name}: {error};"
            " a copy you have can be used: put it into data/weights and set train.model.weights to file"
        ) from error
