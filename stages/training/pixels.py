"""Images in whatever scale a user has them, brought to pixels of 0 to 255 within the model."""

import keras
from keras import ops


def of_any_scale(images: keras.KerasTensor) -> keras.KerasTensor:
    """Bring each image to pixels of 0 to 255, of stock Keras operations.

    An image of whole numbers from 0 to 255 stays as it is, bit for bit. One of values from 0 to 1, not all
    of them whole, is multiplied by 255; one with negative values, from -1 to 1, is shifted and scaled. Any
    other image holds what no pixel can be, and becomes NaN, and so do its probabilities. Each image is
    judged by itself, so that its neighbours in a batch change nothing.

    Args:
        images: float32 [B, H, W, C].

    Returns:
        float32 [B, H, W, C].
    """
    low, high = (bound(images, axis=(1, 2, 3), keepdims=True) for bound in (ops.min, ops.max))
    rest = ops.max(images - ops.floor(images), axis=(1, 2, 3), keepdims=True)
    is_unit = (low >= 0) & (high <= 1) & (rest > 0)
    is_signed = (low < 0) & (low >= -1) & (high <= 1)
    is_pixels = (low >= 0) & (high <= 255)
    scaled = ops.where(is_signed, (images + 1) * 127.5, ops.where(is_unit, images * 255, images))
    return ops.where(is_pixels | is_signed, scaled, float("nan"))
