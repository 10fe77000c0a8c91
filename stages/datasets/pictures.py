"""From the bytes of a picture file to pixels of a given number of channels."""

import io
import warnings

import numpy as np
from PIL import Image, ImageOps

from stages.running import errors

MODES = {1: "L", 3: "RGB", 4: "RGBA"}  # Pillow's names, by channels
DEEP = ("I", "F")  # how Pillow's modes of more than 8 bits begin


def decode(content: bytes, channels: int, where: str) -> np.ndarray:
    """Decode a picture: upright, its first frame, palettes and CMYK as colours, transparency over white.

    Args:
        content: A file of any format that Pillow reads.
        channels: 1, grey; 3, RGB; 4, RGB with alpha.
        where: The picture in words, for errors.

    Returns:
        uint8 [H, W, channels].

    Raises:
        errors.BadInput: it is damaged, no picture, too large to be one, or of more than 8 bits a channel.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content)) as image:
                pixels = np.asarray(_in_channels(ImageOps.exif_transpose(image), channels))
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise errors.BadInput(
            f"{where}: expected a picture, received a damaged or foreign one: {error}"
        ) from error
    except Image.DecompressionBombWarning as error:
        raise errors.BadInput(f"{where}: {error}") from error
    return pixels.reshape(*pixels.shape[:2], channels)


def _in_channels(image: Image.Image, channels: int) -> Image.Image:
    if image.mode.startswith(DEEP):
        raise ValueError(f"it has more than 8 bits a channel (mode {image.mode})")
    if channels < 4 and image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert(MODES[channels])
