"""Bring images of any usual scale to pixels of 0 to 255 within the model."""

import keras
from keras import ops


def of_any_scale(images: keras.KerasTensor) -> keras.KerasTensor:
    """Bring each image to pixels of 0 to 255, by stock Keras operations.

    An image of values from 0 to 1 that are not all whole is multiplied by 255. An image of values from -1 to
    1, some of them negative, is shifted and scaled. Any other image stays as it is, bit for bit. The scale is
    decided for each image on its own, so that the other images of a batch have no influence.

    Args:
        images: float32 [B, H, W, C].

    Returns:
        float32 [B, H, W, C].
    """
    low, high = _bounds(images)
    rest = ops.max(images - ops.floor(images), axis=(1, 2, 3), keepdims=True)
    is_unit = (low >= 0) & (high <= 1) & (rest > 0)
    is_signed = (low < 0) & (low >= -1) & (high <= 1)
    return ops.where(is_signed, (images + 1) * 127.5, ops.where(is_unit, images * 255, images))


def only_of_pixels(probabilities: keras.KerasTensor, images: keras.KerasTensor) -> keras.KerasTensor:
    """Replace the probabilities of an image by NaN if it has values that no scale of pixels has.

    Args:
        probabilities: float32 [B, K].
        images: float32 [B, H, W, C], before they are scaled.

    Returns:
        float32 [B, K].
    """
    low, high = (ops.squeeze(bound, axis=(2, 3)) for bound in _bounds(images))  # [B, 1]
    is_known = ((low >= 0) & (high <= 255)) | ((low >= -1) & (high <= 1))
    return ops.where(is_known, probabilities, float("nan"))


def _bounds(images: keras.KerasTensor) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Return the least and the greatest value of each image, [B, 1, 1, 1] each."""
    low, high = (bound(images, axis=(1, 2, 3), keepdims=True) for bound in (ops.min, ops.max))
    return low, high
