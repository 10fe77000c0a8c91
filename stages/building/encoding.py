"""From pixels to the bytes of a JPEG or PNG file, the same on every machine."""

import io
import zlib
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from PIL import Image

from stages.decoding import resizing

SMALL = 64  # pixels of height and width up to which images are kept without any loss
LONGEST_SIDE = 65_500  # pixels, of a JPEG file


class Encoding(NamedTuple):
    """How images are encoded."""

    format: Literal["jpeg", "png"]
    quality: int  # of JPEG, 1 to 100
    short_side: int | None  # pixels, at most; None keeps the images as they are


def choose(image_shape: Sequence[int], quality: int, short_side: int | None) -> Encoding:
    """Choose PNG for small images, and JPEG for others.

    Args:
        image_shape: (H, W, C) of the images if they are kept as they are.
        quality: Of JPEG.
        short_side: See `Encoding`.
    """
    is_small = short_side is None and max(image_shape[:2]) <= SMALL
    return Encoding("png" if is_small else "jpeg", quality, short_side)


def shrunk(pixels: np.ndarray, short_side: int) -> np.ndarray:
    """Scale a picture, uint8 [H, W, C], so that its shorter side is at most `short_side`; keep its shape."""
    height, width = pixels.shape[:2]
    scale = min(1, short_side / min(height, width), LONGEST_SIDE / max(height, width))
    size = [max(1, round(side * scale)) for side in (height, width)]
    return resizing.resize(pixels, size, "squash")


def encode(pixels: np.ndarray, encoding: Encoding) -> bytes:
    """Encode an image, uint8 [H, W, 1 or 3].

    The colours of JPEG files have half the resolution of the brightness, as those of nearly all photographs
    have that are stored: the files are smaller, and are decoded in three quarters of the time. PNG files are
    compressed by run lengths only, because which other repeats are found depends on the version of zlib.
    """
    image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    buffer = io.BytesIO()
    if encoding.format == "png":
        image.save(buffer, "PNG", compress_level=6, compress_type=zlib.Z_RLE)
    else:
        image.save(buffer, "JPEG", quality=encoding.quality, subsampling="4:2:0")
    return buffer.getvalue()
