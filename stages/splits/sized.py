"""Give the images of a split one after the other, all of one size."""

from collections.abc import Iterator

import numpy as np

from stages.decoding import resizing
from stages.running import errors
from stages.splits import carve

CHUNK = 1000  # images in memory at a time, if they come as one array; such images are small


def images(
    split: carve.Split, size: list[int] | None, shape: tuple[int, ...] | None = None
) -> Iterator[np.ndarray]:
    """Yield the images of a split in order; only a few are in memory at a time.

    Args:
        split: The split; its images may have several sizes if `size` is given.
        size: Height and width to resize to; None keeps the images as they are.
        shape: (H, W, C) that all images must have; None takes the shape of the first.

    Yields:
        uint8 [H, W, C] each.

    Raises:
        errors.BadInput: the images are of several sizes.
    """
    step = CHUNK if isinstance(split.images, np.ndarray) else 1
    for first in range(0, len(split.positions), step):
        for image in split.images[split.positions[first : first + step]]:
            resized = image if size is None else resizing.resize(image, size, "squash")
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
