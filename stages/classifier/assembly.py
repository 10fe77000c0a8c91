"""Make the models for training, validation and saving from a network for normalized images."""

from collections.abc import Sequence
from typing import NamedTuple

import keras

from stages.classifier import pixels, temperature, test_time_augmentation
from stages.inputs import manifest


class Classifier(NamedTuple):
    """Three models that share their weights, and the layers that normalize pixels and calibrate logits."""

    normalize: keras.layers.Normalization  # the first layer of all three
    logits: keras.Model  # uint8 [B, H, W, C] to logits, float32 [B, K]
    tested: keras.Model  # the same with test-time augmentation
    temperature: keras.layers.Rescaling  # of `probabilities`, before the softmax; see the module
    probabilities: keras.Model  # the saved model: images of any scale, float32 [B, H, W, C], to probabilities


def assemble(
    network: keras.Model,
    image_shape: Sequence[int],
    constants: manifest.Normalization,
    looks: test_time_augmentation.Looks,
) -> Classifier:
    """Put the normalization before a network, and test-time augmentation and probabilities around it.

    Args:
        network: From normalized images, float [B, H, W, C], to logits, float32 [B, K].
        image_shape: (H, W, C).
        constants: The constants of the normalization.
        looks: The number of looks at an image in test-time augmentation.
    """
    raw = keras.Input(image_shape, dtype="uint8", name="pixels")
    variance = [std**2 for std in constants.std]
    normalize = keras.layers.Normalization(mean=constants.mean, variance=variance, dtype="float32")
    images = normalize(raw)
    tested = test_time_augmentation.logits(network, images, looks)
    given = keras.Input(image_shape, dtype="float32", name="image")
    judged = test_time_augmentation.logits(network, normalize(pixels.of_any_scale(given)), looks)
    divided = temperature.layer()
    probabilities = keras.layers.Softmax(dtype="float32", name="probabilities")(divided(judged))
    saved = keras.Model(given, pixels.only_of_pixels(probabilities, given), name="classifier")
    logits, tested = keras.Model(raw, network(images)), keras.Model(raw, tested)
    return Classifier(normalize, logits, tested, divided, saved)
