"""Take a random part of each image at the image's size: what makes photographs many."""

import math
from typing import ClassVar

import pydantic
import tensorflow as tf

from stages.inputs import operation


class RandomResizedCrop(operation.Operation):
    """Take a part of random size, shape and place, and scale it to the size of the image.

    The method is that of Szegedy et al., "Going Deeper with Convolutions" (arXiv:1409.4842), with the
    logarithm of the ratio drawn uniformly, as is usual. A part that is wider or higher than the image is cut
    at the image's sides; others draw again, which takes an unknown number of draws.
    """

    draws: ClassVar[int] = 4
    area: list[float]  # smallest and largest share of the image
    ratio: list[float]  # smallest and largest width for a height of 1

    @pydantic.field_validator("area")
    @classmethod
    def _share(cls, area: list[float]) -> list[float]:
        if len(area) != 2 or not 0 < area[0] <= area[1] <= 1:
            raise ValueError(f"expected [smallest, largest] share, above 0 and up to 1, received {area}")
        return area

    @pydantic.field_validator("ratio")
    @classmethod
    def _positive(cls, ratio: list[float]) -> list[float]:
        if len(ratio) != 2 or not 0 < ratio[0] <= ratio[1]:
            raise ValueError(f"expected [smallest, largest] width for a height of 1, received {ratio}")
        return ratio

    def boxes(self, draws: tf.Tensor, sizes: tf.Tensor) -> tf.Tensor:
        """Return the parts of images of several sizes.

        Args:
            draws: float32 [B, 4], in [0, 1).
            sizes: int32 [B, 2]: heights and widths.

        Returns:
            int32 [B, 4]: the first row and column, the height and the width.
        """
        share, shape, down, right = tf.unstack(tf.cast(draws, tf.float64), axis=1)
        height, width = tf.unstack(tf.cast(sizes, tf.float64), axis=1)
        area = (self.area[0] + share * (self.area[1] - self.area[0])) * height * width
        low, high = map(math.log, self.ratio)
        ratio = tf.exp(low + shape * (high - low))
        rows = tf.clip_by_value(tf.round(tf.sqrt(area / ratio)), 1, height)
        columns = tf.clip_by_value(tf.round(tf.sqrt(area * ratio)), 1, width)
        top, left = tf.floor(down * (height - rows + 1)), tf.floor(right * (width - columns + 1))
        return tf.cast(tf.stack([top, left, rows, columns], axis=1), tf.int32)

    def __call__(self, images: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
        """Take the part of each image that its draws choose: its share, ratio, row and column."""
        shape = tf.shape(images)
        boxes = self.boxes(draws, tf.tile(shape[tf.newaxis, 1:3], [shape[0], 1]))

        def taken(each: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
            image, box = each
            return scaled(cropped(image, box), shape[1], shape[2])

        of_all = tf.map_fn(taken, (images, boxes), fn_output_signature=tf.uint8)
        return tf.ensure_shape(of_all, images.shape)


def cropped(image: tf.Tensor, box: tf.Tensor) -> tf.Tensor:
    """Return a part of an image, uint8 [H, W, C], that a row of `RandomResizedCrop.boxes` names."""
    top, left, rows, columns = tf.unstack(box)
    return image[top : top + rows, left : left + columns]


@tf.autograph.experimental.do_not_convert
def scaled(image: tf.Tensor, height: tf.Tensor | int, width: tf.Tensor | int) -> tf.Tensor:
    """Scale an image bilinearly; with antialiasing, which takes three times as long, where a side is halved.

    Between two and one, and where the image becomes larger, every pixel is read without it, too.

    Args:
        image: uint8 [H, W, C].
        height: The new height.
        width: The new width.

    Returns:
        uint8 [height, width, C].
    """
    size = tf.stack([height, width])
    is_halved = tf.reduce_any(tf.shape(image)[:2] > 2 * size)
    numbers = tf.cast(image, tf.float32)  # of which TensorFlow scales 1.9 times as many pixels a second
    values = tf.cond(
        is_halved,
        lambda: tf.image.resize(numbers, size, antialias=True),
        lambda: tf.image.resize(numbers, size),
    )
    return tf.cast(tf.round(values), tf.uint8)
