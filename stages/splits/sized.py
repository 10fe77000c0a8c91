"""Give the images of a split one after the other, all of one size."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from stages.decoding import picture, resizing
from stages.inputs import manifest
from stages.running import ahead, errors
from stages.splits import carve

CHUNK = 1000  # images in memory at a time, if they come as one array; such images are small


class Form(NamedTuple):
    """The form that all images get."""

    size: list[int] | None  # height and width; None keeps the images as they are
    policy: resizing.Policy  # how the size is reached
    colours: picture.Colours

    @property
    def described(self) -> manifest.Form:
        """The form without the size and the channels, which images have in their shape."""
        background = "#{:02x}{:02x}{:02x}".format(*self.colours.background)
        return manifest.Form(background=background, resize=self.policy)


def images(split: carve.Split, form: Form, shape: tuple[int, ...] | None = None) -> Iterator[np.ndarray]:
    """Yield the images of a split in order; only a few are in memory at a time.

    Args:
        split: The split; its images may have several sizes if `form.size` is given.
        form: The form that they get.
        shape: (H, W, C) that all images must have; None takes the shape of the first.

    Yields:
        uint8 [H, W, C] each.

    Raises:
        errors.BadInput: the images are of several sizes, or one cannot be decoded.
    """
    source = _of_array if isinstance(split.images, np.ndarray) else _of_pictures
    for image in source(split, form):
        shape = shape or image.shape
        _require_one_shape(shape, image.shape)
        yield image


def _of_array(split: carve.Split, form: Form) -> Iterator[np.ndarray]:
    for first in range(0, len(split.positions), CHUNK):
        for image in split.images[split.positions[first : first + CHUNK]]:
            yield _resized(picture.recolour(image, form.colours.channels), form)


def _of_pictures(split: carve.Split, form: Form) -> Iterator[np.ndarray]:
    def decoded(position: int) -> np.ndarray:
        return _resized(split.images.decode(position, form.colours), form)

    return ahead.mapped(decoded, map(int, split.positions))


def _resized(image: np.ndarray, form: Form) -> np.ndarray:
    if form.size is None:
        return image
    return resizing.resize(image, form.size, form.policy, form.colours.background)


def _require_one_shape(first: tuple[int, ...], other: tuple[int, ...]) -> None:
    if first[:2] != other[:2]:
        smaller, larger = sorted([first, other])
        raise errors.BadInput(
            f"expected images of one size, found {smaller} and {larger};"
            " set subset.image_size to [height, width]"
        )
    if first != other:
        raise errors.BadInput(
            f"expected images of one number of channels, found {first[2]} and {other[2]}; set"
            " subset.channels to 3, or to 1 for grey"
        )
