"""What can be said of one picture file: whether it is sound, how large and bright, and what is like it."""

import hashlib
from pathlib import PurePath
from typing import NamedTuple

import numpy as np
from PIL import Image

from stages.decoding import picture

MIN_SIDE = 10  # pixels
REDUCED = 256  # pixels; the longer side of the grey copy that is measured; smaller pictures stay as they are
MARGIN = 1.0  # grey levels by which the left must be brighter, so that noise in flat areas sets no bits
SUFFIXES = {
    "AVIF": {".avif", ".avifs"},
    "BMP": {".bmp", ".dib"},
    "GIF": {".gif"},
    "HEIF": {".heic", ".heif", ".hif"},
    "JPEG": {".jpg", ".jpeg", ".jpe", ".jfif", ".jif"},
    "MPO": {".mpo", ".jpg", ".jpeg"},
    "PNG": {".png", ".apng"},
    "TIFF": {".tif", ".tiff"},
    "WEBP": {".webp"},
}


class Facts(NamedTuple):
    """What is known of a sound picture.

    Attributes:
        width: Pixels across, when upright.
        height: Pixels down, when upright.
        mode: Pillow's mode of the pixels as they are stored.
        format: Pillow's name of the format, for example JPEG.
        pixels: 32 hexadecimal digits that are the same for all files with the same RGB pixels on white.
        hash: 16 hexadecimal digits, see `difference_hash`.
        luminance: The mean grey, from 0 (black) to 1 (white), rounded to 4 decimals.
        sharpness: The variance of the Laplacian of the grey copy of at most 256 pixels a side, in squared
            grey levels, rounded to 4 decimals; 0 for pictures under 3 pixels a side.
        notes: Sorted words with blanks between: those of `picture.Opened`, "extension" (the name's suffix
            is not one of the format) and "tiny" (a side is shorter than 10 pixels).
    """

    width: int
    height: int
    mode: str
    format: str
    pixels: str
    hash: str
    luminance: float
    sharpness: float
    notes: str


def examine(name: str, encoded: bytes, max_pixels: int = picture.MAX_PIXELS) -> Facts:
    """Decode a picture file completely and measure it.

    Args:
        name: The file's name, of which only the suffix matters; without one, any format fits.
        encoded: The file's bytes.
        max_pixels: The largest height times width.

    Raises:
        picture.Fault: the file is no sound picture.
    """
    opened = picture.open_checked(encoded, max_pixels)
    rgb = picture.render(opened.image, picture.Colours(3))
    grey = _reduced(rgb)
    levels = np.asarray(grey, np.float32)
    return Facts(
        width=rgb.width,
        height=rgb.height,
        mode=opened.mode,
        format=opened.format,
        pixels=_digest(rgb),
        hash=_hash(grey),
        luminance=round(float(levels.mean()) / 255, 4),
        sharpness=round(_sharpness(levels), 4),
        notes=_notes(name, opened),
    )


def difference_hash(pixels: np.ndarray) -> str:
    """Summarise a picture in 64 bits, of which few change when it is resized or encoded again.

    Each bit says whether a field of 9 x 8 is brighter than its right neighbour by more than a margin.
    Pictures of little but sky or blur can share a hash without being copies.

    Args:
        pixels: uint8 [H, W, 3].

    Returns:
        16 hexadecimal digits.
    """
    return _hash(_reduced(Image.fromarray(pixels)))


def _reduced(rgb: Image.Image) -> Image.Image:
    grey = rgb.convert("L")
    scale = REDUCED / max(grey.size)
    if scale >= 1:
        return grey
    size = [max(1, round(side * scale)) for side in grey.size]
    return grey.resize(size, Image.Resampling.BILINEAR, reducing_gap=3)


def _hash(grey: Image.Image) -> str:
    fields = np.asarray(grey.convert("F").resize((9, 8), Image.Resampling.BILINEAR))
    bits = fields[:, :-1] > fields[:, 1:] + MARGIN
    return np.packbits(bits).tobytes().hex()


def _digest(rgb: Image.Image) -> str:
    digest = hashlib.blake2b(f"{rgb.height} {rgb.width} ".encode(), digest_size=16)
    digest.update(rgb.tobytes())
    return digest.hexdigest()


def _sharpness(levels: np.ndarray) -> float:
    if min(levels.shape) < 3:
        return 0.0
    middle = levels[1:-1, 1:-1]
    around = levels[:-2, 1:-1] + levels[2:, 1:-1] + levels[1:-1, :-2] + levels[1:-1, 2:]
    return float((around - 4 * middle).var())


def _notes(name: str, opened: picture.Opened) -> str:
    suffix = PurePath(name).suffix.lower()
    found = {
        "extension": suffix not in {"", *SUFFIXES.get(opened.format, ())},
        "tiny": min(opened.image.size) < MIN_SIDE,
    }
    return " ".join(sorted(opened.notes | {note for note, holds in found.items() if holds}))
