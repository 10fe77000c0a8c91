"""From the bytes of picture files to images, by operations of TensorFlow that a SavedModel can hold.

It follows `decoding.picture` and `decoding.resizing`, which training used. The decoders are TensorFlow's:
JPEG, PNG, BMP, WebP and the first frame of GIF. They know neither EXIF's orientation nor colour profiles.
"""

from collections.abc import Sequence

import tensorflow as tf
from PIL import ImageColor

from stages.inputs import manifest

GREY = (0.299, 0.587, 0.114)  # the weights of red, green and blue by ITU-R 601-2
OPAQUE = 255.0


def images(encoded: tf.Tensor, image_shape: Sequence[int], form: manifest.Form) -> tf.Tensor:
    """Decode pictures and bring them to the size of the model's images.

    Args:
        encoded: string [B], the bytes of a file each.
        image_shape: (H, W, C) of the images; C is 1 (grey), 2 (grey and alpha), 3 (RGB) or 4 (RGBA).
        form: The colour behind transparent pixels, and how the size changes.

    Returns:
        uint8 [B, H, W, C].
    """
    height, width, channels = image_shape
    ground = tf.constant(ImageColor.getrgb(form.background)[:3], tf.float32)
    margin = _in_channels(_opaque(ground), channels, ground)

    def image(each: tf.Tensor) -> tf.Tensor:
        pixels = _in_channels(_rgba(each), channels, ground)
        resized = _resized(pixels, height, width, form.resize, margin)
        return tf.cast(tf.clip_by_value(tf.round(resized), 0, 255), tf.uint8)

    return tf.map_fn(image, encoded, fn_output_signature=tf.TensorSpec(image_shape, tf.uint8))


def _rgba(encoded: tf.Tensor) -> tf.Tensor:
    """Decode a picture to float32 [h, w, 4], of levels from 0 to 255."""
    stored = tf.cast(_stored(encoded), tf.float32)
    count = tf.shape(stored)[2]
    colours = tf.cond(count < 3, lambda: tf.repeat(stored[..., :1], 3, axis=2), lambda: stored[..., :3])
    solid = tf.fill(tf.concat([tf.shape(stored)[:2], [1]], 0), OPAQUE)
    alpha = tf.cond(count % 2 == 0, lambda: stored[..., -1:], lambda: solid)
    return tf.ensure_shape(tf.concat([colours, alpha], axis=2), [None, None, 4])


def _stored(encoded: tf.Tensor) -> tf.Tensor:
    """Decode a picture to uint8 [h, w, 1 to 4].

    JPEG gets the transform that Pillow takes; TensorFlow's own choice is quicker and up to 9 levels away.
    """
    return tf.cond(
        tf.io.is_jpeg(encoded),
        lambda: tf.io.decode_jpeg(encoded, dct_method="INTEGER_ACCURATE"),
        lambda: tf.io.decode_image(encoded, expand_animations=False),
    )


def _opaque(colour: tf.Tensor) -> tf.Tensor:
    """Make a picture of one pixel, float32 [1, 1, 4], of a colour, float32 [3]."""
    return tf.reshape(tf.concat([colour, [OPAQUE]], 0), [1, 1, 4])


def _in_channels(pixels: tf.Tensor, channels: int, ground: tf.Tensor) -> tf.Tensor:
    """Give pixels, float32 [h, w, 4], the channels that are asked for; without alpha they are on `ground`."""
    colours, alpha = pixels[..., :3], pixels[..., 3:]
    if channels in (1, 3):
        share = alpha / OPAQUE
        colours = tf.round(colours * share + ground * (1 - share))
    if channels < 3:
        colours = tf.round(tf.reduce_sum(colours * GREY, axis=2, keepdims=True))
    return colours if channels in (1, 3) else tf.concat([colours, alpha], axis=2)


def _resized(pixels: tf.Tensor, height: int, width: int, policy: str, margin: tf.Tensor) -> tf.Tensor:
    """Scale pixels, float32 [h, w, C], to [height, width, C]; `margin`, [1, 1, C], is what is padded."""
    had = tf.cast(tf.shape(pixels)[:2], tf.float64)
    want = tf.constant([height, width], tf.float64)
    if policy == "crop":
        scale = tf.reduce_max(want / had)
        start = (want - had * scale) / 2
        return _scaled(pixels, [height, width], tf.stack([scale, scale]), start)
    if policy == "pad":
        inner = tf.maximum(tf.round(had * tf.reduce_min(want / had)), 1)
        scaled = _scaled(pixels, tf.cast(inner, tf.int32), inner / had, tf.zeros(2, tf.float64))
        return _padded(scaled, height, width, margin)
    return _scaled(pixels, [height, width], want / had, tf.zeros(2, tf.float64))


def _scaled(pixels: tf.Tensor, size: tf.Tensor, scale: tf.Tensor, start: tf.Tensor) -> tf.Tensor:
    """Scale pixels by the filter of Pillow's antialiased bilinear resizing.

    Args:
        pixels: float32 [h, w, C].
        size: int32 [2], the height and width of the result.
        scale: float64 [2], the new pixels for an old one, down and across.
        start: float64 [2], where the picture's upper left corner comes to be, in new pixels.
    """
    scaled = tf.raw_ops.ScaleAndTranslate(
        images=pixels[None],
        size=size,
        scale=tf.cast(scale, tf.float32),
        translation=tf.cast(start, tf.float32),
        kernel_type="triangle",
        antialias=True,
    )
    return scaled[0]


def _padded(pixels: tf.Tensor, height: int, width: int, margin: tf.Tensor) -> tf.Tensor:
    inner = tf.shape(pixels)[:2]
    before = ([height, width] - inner) // 2
    after = [height, width] - inner - before
    sides = tf.stack([[before[0], after[0]], [before[1], after[1]], [0, 0]])
    return tf.pad(pixels - margin, sides) + margin
