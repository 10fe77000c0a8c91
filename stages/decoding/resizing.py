"""Bring the pixels of a picture to another size."""

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from PIL import Image

from stages.decoding import picture
from stages.running import errors

Policy = Literal["squash", "crop", "pad"]
Box = tuple[float, float, float, float]  # left, top, right, bottom


def resize(
    pixels: np.ndarray,
    size: Sequence[int],
    policy: Policy,
    background: tuple[int, int, int] = picture.WHITE,
) -> np.ndarray:
    """Scale a picture once, with Pillow's antialiased bilinear filter.

    Args:
        pixels: uint8 [H, W, C], C from 1 to 4 as `picture.decode` gives them.
        size: The height and width to scale to.
        policy: "squash" scales each side on its own; "crop" takes the largest rectangle of the new shape
            from the middle; "pad" puts the whole picture in the middle of a background.
        background: The RGB colour of what is padded; it is opaque, and grey if the picture is.

    Returns:
        uint8 [size[0], size[1], C]; the pixels themselves if they have that size.

    Raises:
        errors.BadInput: the policy is not known.
    """
    height, width = size
    if pixels.shape[:2] == (height, width):
        return pixels
    if policy == "crop":
        return _scaled(pixels, height, width, _middle(pixels.shape, height, width))
    if policy == "pad":
        return _padded(pixels, height, width, background)
    if policy == "squash":
        return _scaled(pixels, height, width)
    raise errors.unknown("resize policy", policy, get_args(Policy))


def _scaled(pixels: np.ndarray, height: int, width: int, box: Box | None = None) -> np.ndarray:
    """Scale a rectangle of a picture; Pillow would weigh colours by an alpha channel, so go one by one."""
    if pixels.shape[-1] == 3:
        return _resample(pixels, height, width, box)
    planes = [_resample(pixels[..., channel], height, width, box) for channel in range(pixels.shape[-1])]
    return np.stack(planes, axis=-1)


def _resample(pixels: np.ndarray, height: int, width: int, box: Box | None) -> np.ndarray:
    image = Image.fromarray(np.ascontiguousarray(pixels))
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR, box))


def _middle(shape: Sequence[int], height: int, width: int) -> Box:
    """Return the largest rectangle of a shape, in the middle of a picture, that is as wide for its height."""
    scale = min(shape[0] / height, shape[1] / width)
    top, left = (shape[0] - height * scale) / 2, (shape[1] - width * scale) / 2
    return max(left, 0.0), max(top, 0.0), min(shape[1] - left, shape[1]), min(shape[0] - top, shape[0])


def _padded(pixels: np.ndarray, height: int, width: int, background: tuple[int, int, int]) -> np.ndarray:
    scale = min(height / pixels.shape[0], width / pixels.shape[1])
    inner = [max(1, round(side * scale)) for side in pixels.shape[:2]]
    top, left = (height - inner[0]) // 2, (width - inner[1]) // 2
    colour = np.array([[background]], np.uint8)
    padded = np.tile(picture.recolour(colour, pixels.shape[-1]), (height, width, 1))
    padded[top : top + inner[0], left : left + inner[1]] = resize(pixels, inner, "squash")
    return padded
