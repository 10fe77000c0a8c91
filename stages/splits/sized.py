"""The images of a split, one after the other, of one size."""

from collections.abc import Iterator

import numpy as np
from PIL import Image

from stages.running import errors
from stages.splits import carve

CHUNK = 1000  # images of a published set, which are small, in memory at a time


def images(
    split: carve.Split, size: list[int] | None, shape: tuple[int, ...] | None = None
) -> Iterator[np.ndarray]:
    """Give the images of a split in its order; few are in memory at a time.

    Args:
        split: Its images may be of several sizes if `size` is not null.
        size: Height and width to resize to; None keeps the images as they are.
        shape: (H, W, C) that all must have; None takes that of the first.

    Returns:
        uint8 [H, W, C] each.

    Raises:
        errors.BadInput: the images are of several sizes.
    """
    step = CHUNK if isinstance(split.images, np.ndarray) else 1
    for first in range(0, len(split.positions), step):
        for image in split.images[split.positions[first : first + step]]:
            resized = image if size is None else _resize(image, size)
            shape = shape or resized.shape
            _require_one_shape(shape, resized.shape)
            yield resized


def _require_one_shape(first: tuple[int, ...], other: tuple[int, ...]) -> None:
    if first != other:
        smaller, larger = sorted([first, other])
        raise errors.BadInput(
            f"expected images of one size, found {smaller} and {larger};"
            " set subset.image_size to [height, width]"
        )


def _resize(image: np.ndarray, size: list[int]) -> np.ndarray:
    """Scale an image (uint8 [H, W, C]) with Pillow's antialiased bilinear filter."""
    planes = [
        Image.fromarray(np.ascontiguousarray(image[..., channel])).resize(
            (size[1], size[0]), Image.Resampling.BILINEAR
        )
        for channel in range(image.shape[-1])
    ]
    return np.stack([np.asarray(plane) for plane in planes], axis=-1)
