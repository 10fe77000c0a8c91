"""The backbones of Keras Applications (https://keras.io/api/applications/)."""

from pathlib import Path
from typing import NamedTuple

import keras

from stages.backbones import backbone, keras_file, pretrained

PUBLISHED = "https://storage.googleapis.com/tensorflow/keras-applications/"

BGR_MEANS = [103.939, 116.779, 123.68]  # means of ImageNet's pixels, as Keras Applications subtracts them


class Weights(NamedTuple):
    """Weights in a file of Keras that a web server has."""

    file: str  # path below PUBLISHED
    md5: str | None  # from Keras Applications; None if it gives none

    @property
    def suffixes(self) -> list[str]:
        """See `backbone.Weights`."""
        return keras_file.SUFFIXES

    def fetch(self) -> Path:
        """See `backbone.Weights`."""
        return pretrained.fetch(PUBLISHED + self.file, self.md5)

    def load(self, model: keras.Model, path: Path) -> None:
        """See `backbone.Weights`."""
        keras_file.load(model, path)


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
    "EfficientNetV2B0": backbone.Backbone(
        keras.applications.EfficientNetV2B0,
        _as_they_are,
        Weights("efficientnet_v2/efficientnetv2-b0_notop.h5", "893217f2bb855e2983157299931e43ff"),
    ),
    "MobileNetV2": backbone.Backbone(
        keras.applications.MobileNetV2,
        _to_unit_range,
        Weights("mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5", None),
    ),
    "MobileNetV3Small": backbone.Backbone(
        keras.applications.MobileNetV3Small,
        _as_they_are,
        Weights(
            "mobilenet_v3/weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5",
            "d3e8ec802a04aa4fc771ee12a9a9b836",
        ),
    ),
    "ResNet50": backbone.Backbone(
        keras.applications.ResNet50,
        _to_centered_bgr,
        Weights(
            "resnet/resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5", "4d473c1dd8becc155b73f8504c6f6626"
        ),
    ),
    "ResNet50V2": backbone.Backbone(
        keras.applications.ResNet50V2,
        _to_unit_range,
        Weights(
            "resnet/resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5",
            "fac2f116257151a9d068a22e544a4917",
        ),
    ),
    "VGG16": backbone.Backbone(
        keras.applications.VGG16,
        _to_centered_bgr,
        Weights(
            "vgg16/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5", "6d6bbae143d832006294945121d1f1fc"
        ),
    ),
}
