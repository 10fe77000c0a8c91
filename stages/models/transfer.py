"""Transfer learning: a network of Keras Applications without its top, and a new head for these classes.

It is for few images, or for photographs: what the backbone learned on ImageNet is reused. The recipe is
Keras's (https://keras.io/guides/transfer_learning/): train the head while the layer named "backbone" is
frozen, then fine-tune the whole network. The backbones are described at https://keras.io/api/applications/.
"""

import warnings
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import keras
import pydantic

from stages.backbones import pretrained
from stages.running import errors, paramfile

NORMALIZE = "none"  # required value of records.normalize: the network scales pixels as its backbone expects

PUBLISHED = "https://storage.googleapis.com/tensorflow/keras-applications/"
SMALLEST = 32  # pixels of height and width that every backbone takes

BGR_MEANS = [103.939, 116.779, 123.68]  # means of ImageNet's pixels, as Keras Applications subtracts them


class Backbone(NamedTuple):
    """An architecture of Keras Applications, and its weights without the top, trained on ImageNet."""

    create: Callable[..., keras.Model]
    scale: Callable[[keras.KerasTensor], keras.KerasTensor]  # from pixels 0..255, RGB, float32
    weights: str  # path below PUBLISHED
    md5: str | None  # from Keras Applications; None if it gives none


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


class _InferenceMode(keras.Model):
    """A model whose layers stay in inference mode while the model around it is in training.

    Batch normalization then keeps its statistics while its weights are fine-tuned. Calling the layer with
    `training=False` asks for the same, but a surrounding model that is called with True overrules it.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Return the outputs of inference mode, whatever `training` is."""
        return super().call(inputs, training=False, mask=mask)


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
    return _InferenceMode(model.input, model.output, name="backbone")


def load(network: keras.Model, path: Path | None, options: Options) -> None:
    """Load the weights that `options.weights` asks for into the backbone.

    Args:
        network: As `build` returns it.
        path: The file that `train.weights` names, with weights of the backbone without its top
            (.weights.h5, .keras or .h5); None if it names nothing.
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
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a hundred warnings come before the one error
            network.get_layer("backbone").load_weights(path)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        reason = str(error).splitlines()[0]
        raise errors.BadInput(
            f"train.weights: expected weights of {options.backbone} without its top, in a file .weights.h5,"
            f" .keras or .h5; received {path}, which does not fit: {reason}"
        ) from error


def _published(name: str) -> Path:
    backbone = BACKBONES[name]
    try:
        return pretrained.fetch(PUBLISHED + backbone.weights, backbone.md5)
    except errors.StageError as error:
        raise errors.Unreachable(
            f"could not fetch the weights of {name}: {error};"
            " a copy you have can be used: put it into data/weights and set train.model.weights to file"
        ) from error


def _as_they_are(pixels: keras.KerasTensor) -> keras.KerasTensor:
    """Return pixels unchanged, for backbones that scale them by themselves."""
    return pixels


def _to_unit_range(pixels: keras.KerasTensor) -> keras.KerasTensor:
    """Scale pixels from 0..255 to -1..1."""
    return keras.layers.Rescaling(1 / 127.5, offset=-1.0, dtype="float32")(pixels)


def _to_centered_bgr(pixels: keras.KerasTensor) -> keras.KerasTensor:
    """Reverse the channels and subtract their means, without scaling, as Caffe did."""
    bgr = keras.ops.flip(pixels, axis=-1)
    return keras.layers.Rescaling(1.0, offset=[-mean for mean in BGR_MEANS], dtype="float32")(bgr)


BACKBONES = {
    "EfficientNetV2B0": Backbone(
        keras.applications.EfficientNetV2B0,
        _as_they_are,
        "efficientnet_v2/efficientnetv2-b0_notop.h5",
        "893217f2bb855e2983157299931e43ff",
    ),
    "MobileNetV2": Backbone(
        keras.applications.MobileNetV2,
        _to_unit_range,
        "mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5",
        None,
    ),
    "MobileNetV3Small": Backbone(
        keras.applications.MobileNetV3Small,
        _as_they_are,
        "mobilenet_v3/weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5",
        "d3e8ec802a04aa4fc771ee12a9a9b836",
    ),
    "ResNet50": Backbone(
        keras.applications.ResNet50,
        _to_centered_bgr,
        "resnet/resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "4d473c1dd8becc155b73f8504c6f6626",
    ),
    "ResNet50V2": Backbone(
        keras.applications.ResNet50V2,
        _to_unit_range,
        "resnet/resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "fac2f116257151a9d068a22e544a4917",
    ),
    "VGG16": Backbone(
        keras.applications.VGG16,
        _to_centered_bgr,
        "vgg16/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "6d6bbae143d832006294945121d1f1fc",
    ),
}
