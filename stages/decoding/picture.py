"""Decode an encoded picture from any source into the channels that its dataset declares."""

import io
import warnings

import numpy as np
from PIL import ExifTags, Image

from stages.running import errors

FORMATS = ["BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP"]  # no format that Pillow opens with other programs
MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
UPRIGHT = {  # the turn that undoes each value of EXIF's orientation (tag 0x0112); 1 is upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# The exceptions that Pillow raises for damaged pictures and for pictures that are too large.
UNREADABLE = (
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
    NotImplementedError,
    OSError,
    OverflowError,
    SyntaxError,
    TypeError,
    ValueError,
)


def decode(encoded: bytes, channels: int) -> np.ndarray:
    """Decode the first frame of a picture, turned upright, as uint8 [H, W, channels].

    Pillow brings its own decoders, so that the pixels are the same on every machine. If there is no channel
    for transparency, the picture is composed on white. Colours become grey by ITU-R 601-2.

    Args:
        encoded: The bytes of a BMP, GIF, JPEG, PNG, TIFF or WebP file, with any kind of pixels.
        channels: 1 (grey), 2 (grey and alpha), 3 (RGB) or 4 (RGBA).

    Raises:
        errors.BadInput: the bytes are not such a file, or they are damaged, too large, or have more than 8
            bits per channel.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # warnings about EXIF, which the pixels do not need
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(encoded), formats=FORMATS) as image:
                pixels = np.asarray(_convert(_upright(image), MODES[channels]))
    except Image.UnidentifiedImageError:
        raise errors.BadInput(f"expected a picture in one of {', '.join(FORMATS)}") from None
    except UNREADABLE as error:
        raise errors.BadInput(f"cannot be decoded: {error}") from error
    return pixels.reshape(*pixels.shape[:2], channels)


def _upright(image: Image.Image) -> Image.Image:
    """Turn an image as its EXIF data says; ImageOps.exif_transpose also rewrites the data, which can fail."""
    image.load()
    turn = UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    return image if turn is None else image.transpose(turn)


def _convert(image: Image.Image, mode: str) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        raise ValueError(f"expected 8 bits a channel, found mode {image.mode}")
    if image.has_transparency_data and mode in ("L", "RGB"):
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert(mode)
