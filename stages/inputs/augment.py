"""Augmentation operations: each says how many random numbers it needs, and changes a whole batch at once."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import pydantic
import tensorflow as tf

from stages.inputs import draws, operation, resized_crop
from stages.running import errors, paramfile


class FlipHorizontal(operation.Operation):
    """Mirror left and right with some probability."""

    draws: ClassVar[int] = 1
    probability: float = pydantic.Field(ge=0, le=1)

    def __call__(self, images: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
        """Mirror left and right the images whose draw is below the probability."""
        return _flipped(images, draws[:, 0] < self.probability, axis=2)


class AlternatingFlip(operation.Operation):
    """Mirror each image left and right in every other view.

    A random half of the images is mirrored in the even views, and the other half in the odd views, so that
    each pair of views shows both sides of every image. The method is that of Jordan, "94% on CIFAR-10 in
    3.29 seconds" (arXiv:2404.00498). Compared with random flips it is worth 0.3 ± 0.4 points of accuracy in
    four epochs (reports/benchmarks/ablation.md).
    """

    draws: ClassVar[int] = 1
    turn: ClassVar[float] = 0.5

    def __call__(self, images: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
        """Mirror left and right the images whose draw is below one half."""
        return _flipped(images, draws[:, 0] < 0.5, axis=2)


class FlipVertical(operation.Operation):
    """Mirror top and bottom with some probability."""

    draws: ClassVar[int] = 1
    probability: float = pydantic.Field(ge=0, le=1)

    def __call__(self, images: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
        """Mirror top and bottom the images whose draw is below the probability."""
        return _flipped(images, draws[:, 0] < self.probability, axis=1)


def _flipped(images: tf.Tensor, flip: tf.Tensor, axis: int) -> tf.Tensor:
    """Reverse an axis of the images chosen by bool [B].

    Separating the chosen images from the others runs at 500,000 images/s of 32x32 on one core; choosing
    pixel by pixel with tf.where runs at 50,000.
    """
    group = tf.cast(flip, tf.int32)
    same, chosen = tf.dynamic_partition(images, group, 2)
    places = tf.dynamic_partition(tf.range(tf.shape(images)[0]), group, 2)
    return tf.dynamic_stitch(places, [same, _mirrored(chosen, axis)])


def _mirrored(images: tf.Tensor, axis: int) -> tf.Tensor:
    """Reverse an axis; all rows become one axis first, since TensorFlow has a fast way only for [N, W, C]."""
    if axis != 2:
        return tf.reverse(images, [axis])
    shape = tf.shape(images)
    rows = tf.reshape(images, tf.concat([[-1], shape[2:]], 0))
    return tf.reshape(tf.reverse(rows, [1]), shape)


class Translate(operation.Operation):
    """Shift by up to `pixels` along both axes; the border is filled by reflection."""

    draws: ClassVar[int] = 2
    pixels: int = pydantic.Field(ge=0)

    def __call__(self, images: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
        """Shift the rows of each image by its first draw and the columns by its second, in whole pixels."""
        choices = 2 * self.pixels + 1
        chosen = tf.cast(tf.floor(draws * choices), tf.int32)
        shape, count = tf.shape(images), tf.shape(images)[0]
        rows = _reflected(chosen[:, :1] - self.pixels, shape[1])
        images = tf.gather(images, rows, axis=1, batch_dims=1)
        # Columns are not contiguous: shifting them for all images that share a shift at once runs at
        # 330,000 images/s on one core, gathering them image by image at 30,000.
        groups = tf.dynamic_partition(images, chosen[:, 1], choices)
        places = tf.dynamic_partition(tf.range(count), chosen[:, 1], choices)
        shifted = [_columns_shifted(group, choice - self.pixels) for choice, group in enumerate(groups)]
        return tf.dynamic_stitch(places, shifted)


def _columns_shifted(images: tf.Tensor, shift: int) -> tf.Tensor:
    """Shift the columns of all images [B, H, W, C] by the same number of pixels.

    Whole runs of columns are copied at more than twice the rate of a gather. The gather is for shifts as
    wide as the image or wider.
    """
    width = images.shape[2]
    if width is None or abs(shift) >= width:
        return tf.gather(images, _reflected(shift, tf.shape(images)[2]), axis=2)
    if shift > 0:
        return tf.concat([tf.reverse(images[:, :, 1 : shift + 1], [2]), images[:, :, :-shift]], axis=2)
    if shift < 0:
        return tf.concat([images[:, :, -shift:], tf.reverse(images[:, :, shift - 1 : -1], [2])], axis=2)
    return images


def _reflected(shift: tf.Tensor | int, size: tf.Tensor) -> tf.Tensor:
    """Return the source of each place of a line that is shifted and mirrored at its ends.

    The pixels at the ends are not repeated.

    Returns:
        int32 [size], or [B, size] for shifts [B, 1].
    """
    period = tf.maximum(2 * (size - 1), 1)
    source = tf.math.floormod(tf.range(size) - shift, period)
    return tf.minimum(source, period - source)


class Cutout(operation.Operation):
    """Paint a grey square, centred anywhere in the image (DeVries and Taylor, arXiv:1708.04552)."""

    draws: ClassVar[int] = 2
    size: int = pydantic.Field(ge=0)
    fill: int = pydantic.Field(ge=0, le=255)

    def __call__(self, images: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
        """Paint the square around the row and the column that the two draws choose."""
        shape = tf.shape(images)
        inside_rows = self._inside(draws[:, 0], shape[1])
        inside_columns = self._inside(draws[:, 1], shape[2])
        square = inside_rows[:, :, tf.newaxis, tf.newaxis] & inside_columns[:, tf.newaxis, :, tf.newaxis]
        return tf.where(square, tf.constant(self.fill, images.dtype), images)

    def _inside(self, draw: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
        centre = tf.cast(tf.floor(draw * tf.cast(length, tf.float32)), tf.int32)
        first = (centre - self.size // 2)[:, tf.newaxis]
        positions = tf.range(length)[tf.newaxis]
        return (positions >= first) & (positions < first + self.size)


class Brightness(operation.Operation):
    """Add up to `amount` of the full range to every pixel, or subtract it."""

    draws: ClassVar[int] = 1
    amount: float = pydantic.Field(ge=0, le=1)

    def __call__(self, images: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
        """Darken an image for a draw below one half, else brighten it, by one value for all its pixels."""
        change = _signed(draws[:, 0]) * self.amount * 255
        return _pixels(tf.cast(images, tf.float32) + change)


class Contrast(operation.Operation):
    """Scale the distance of each pixel from its channel's mean by 1 - amount to 1 + amount."""

    draws: ClassVar[int] = 1
    amount: float = pydantic.Field(ge=0, le=1)

    def __call__(self, images: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
        """Lower the contrast of an image for a draw below one half, else raise it."""
        values = tf.cast(images, tf.float32)
        mean = tf.reduce_mean(values, axis=[1, 2], keepdims=True)
        return _pixels(mean + (values - mean) * (1 + _signed(draws[:, 0]) * self.amount))


class Saturation(operation.Operation):
    """Scale the distance of each pixel from its grey value by 1 - amount to 1 + amount.

    Grey is the ITU-R BT.601 luma. Only images of three channels are changed.
    """

    draws: ClassVar[int] = 1
    amount: float = pydantic.Field(ge=0, le=1)

    def __call__(self, images: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
        """Lower the saturation of an image for a draw below one half, else raise it."""
        if images.shape[-1] != 3:
            return images
        values = tf.cast(images, tf.float32)
        grey = tf.reduce_sum(values * [0.299, 0.587, 0.114], axis=-1, keepdims=True)
        return _pixels(grey + (values - grey) * (1 + _signed(draws[:, 0]) * self.amount))


class Rotate(operation.Operation):
    """Turn by up to `degrees` either way, bilinearly; the border is filled by reflection."""

    draws: ClassVar[int] = 1
    degrees: float = pydantic.Field(ge=0, le=180)

    def __call__(self, images: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
        """Turn each image about its centre; the direction depends on which half the draw is in."""
        angle = _signed(draws[:, 0])[:, 0, 0, 0] * self.degrees * (3.141592653589793 / 180)
        cos, sin, zero = tf.cos(angle), tf.sin(angle), tf.zeros_like(angle)
        shape = tf.shape(images)
        y, x = (tf.cast(shape[axis] - 1, tf.float32) / 2 for axis in (1, 2))
        # The op maps each output pixel to its source by a rotation about the centre (x, y).
        source_x = [cos, -sin, x - cos * x + sin * y]
        source_y = [sin, cos, y - sin * x - cos * y]
        turned = tf.raw_ops.ImageProjectiveTransformV3(
            images=tf.cast(images, tf.float32),
            transforms=tf.stack([*source_x, *source_y, zero, zero], axis=1),
            output_shape=shape[1:3],
            fill_value=0.0,
            interpolation="BILINEAR",
            fill_mode="REFLECT",
        )
        return _pixels(turned)


def _signed(draw: tf.Tensor) -> tf.Tensor:
    """Map numbers [B] in [0, 1) to numbers [B, 1, 1, 1] in [-1, 1)."""
    return (2 * draw - 1)[:, tf.newaxis, tf.newaxis, tf.newaxis]


def _pixels(values: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.clip_by_value(tf.round(values), 0, 255), tf.uint8)


OPERATIONS: dict[str, type[operation.Operation]] = {
    "alternating_flip": AlternatingFlip,
    "flip_horizontal": FlipHorizontal,
    "flip_vertical": FlipVertical,
    "random_resized_crop": resized_crop.RandomResizedCrop,
    "translate": Translate,
    "rotate": Rotate,
    "cutout": Cutout,
    "brightness": Brightness,
    "contrast": Contrast,
    "saturation": Saturation,
}


def parse(listed: Sequence[Mapping[str, dict[str, Any] | None]]) -> list[operation.Operation]:
    """Return the operations of a params list such as `[{translate: {pixels: 4}}]`.

    Raises:
        errors.BadInput: an operation or option is unknown, or an option is out of range.
    """
    operations = []
    for position, item in enumerate(listed, start=1):
        if len(item) != 1:
            raise errors.BadInput(f"item {position}: expected one operation, received {dict(item)}")
        ((name, options),) = item.items()
        if name not in OPERATIONS:
            raise errors.BadInput(f"item {position}: {errors.unknown('augmentation', name, OPERATIONS)}")
        operations.append(paramfile.check(OPERATIONS[name], options or {}, f"item {position}, {name}"))
    return operations


def draw(operations: list[operation.Operation], seed: int, view: int, images: np.ndarray) -> np.ndarray:
    """Draw the random numbers of all operations for the given images of one view.

    Args:
        operations: The operations, in the order in which they are applied.
        seed: The seed of all draws.
        view: The number of the view, from 0.
        images: Image indices, int64 [N].

    Returns:
        float32 [N, sum of the operations' draws], in [0, 1).
    """
    turns = [each.turn for each in operations for _ in range(each.draws)]
    fresh = draws.uniform(seed, view, images, len(turns))
    first = draws.uniform(seed, 0, images, len(turns)) if any(turns) else fresh
    for column, turn in enumerate(turns):
        if turn is not None:
            fresh[:, column] = (first[:, column] + view * turn) % 1
    return fresh


def apply(operations: list[operation.Operation], images: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
    """Apply operations in turn, each with its own columns of `draws`.

    Args:
        images: uint8 [B, H, W, C].
        draws: float32 [B, sum of the operations' draws], in [0, 1).
    """
    column = 0
    for each in operations:
        images = each(images, draws[:, column : column + each.draws])
        column += each.draws
    return images
