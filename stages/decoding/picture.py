"""From the bytes of a picture file to its pixels: the one way for all of the project's stages.

Pillow brings its own decoders, so that the pixels are the same on every machine. Everything here can run in
many threads at once.
"""

import importlib
import importlib.util
import io
import re
import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    ExifTags,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from stages.decoding import headers, profiles
from stages.running import errors

WHITE = (255, 255, 255)
MAX_PIXELS = 178_956_970  # height times width
MAX_PASSES = 20  # times `max_pixels` that the scans of a progressive JPEG file may go through
MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
PNG_GREY_ALPHA = 4  # a PNG file's kind of colour, which Pillow gives as RGBA if it has 16 bits
UPRIGHT = {  # the turn that undoes each value of EXIF's orientation (tag 0x0112); 1 is upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# Only `max_pixels` decides about the size. Pillow's own limit is one for the whole process, and warns.
Image.MAX_IMAGE_PIXELS = None
# Pillow warns about odd metadata, which the pixels do not need.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


class Fault(errors.BadInput):
    """A file is no picture that can be used; the message says why in one line.

    Attributes:
        kind: "empty", "not_a_picture", "format" (a picture in a format that is not taken), "truncated",
            "damaged", "too_large" (more than `max_pixels`) or "deep" (numbers without a known range).
    """

    def __init__(self, kind: str, detail: str):
        super().__init__(" ".join(detail.split()))
        self.kind = kind

    def __reduce__(self) -> tuple[type["Fault"], tuple[str, str]]:
        return Fault, (self.kind, str(self))


class Colours(NamedTuple):
    """The channels that pixels are asked for in.

    Attributes:
        channels: 1 (grey), 2 (grey and alpha), 3 (RGB) or 4 (RGBA); None keeps grey as 1 channel and makes
            everything else RGB.
        background: The RGB colour that transparent pixels are composed on if there is no alpha channel.
    """

    channels: int | None
    background: tuple[int, int, int] = WHITE


class Opened(NamedTuple):
    """A picture, and what its file says about it.

    Attributes:
        image: The first frame, upright, in sRGB, in mode L, LA, RGB or RGBA.
        format: Pillow's name of the file's format.
        mode: Pillow's mode of the pixels as they are stored.
        notes: Which of these hold: "turned" (EXIF's orientation), "frames" (there are more than one), "cmyk",
            "profile" (the colours were converted by an ICC profile), "deep" (a PNG or TIFF file of more than
            8 bits a channel), "alpha" (an alpha channel or a transparent colour).
    """

    image: Image.Image
    format: str
    mode: str
    notes: frozenset[str]


class _Gif(GifImagePlugin.GifImageFile):
    """A GIF file of which only the first frame counts, so that none has to be cleared for the next one.

    Pillow would allocate what it clears, of any size that the file states, as it opens the file.
    """

    @property
    def disposal_method(self) -> int:
        return 0

    @disposal_method.setter
    def disposal_method(self, method: int) -> None:
        pass


class _Tiff(TiffImagePlugin.TiffImageFile):
    """A TIFF file that stays as it is stored: Pillow turns it upright by a way that odd EXIF can break."""

    def load_end(self) -> None:
        self._size = self.im.size


def _jpeg(file: io.BytesIO) -> ImageFile.ImageFile:
    """Open a JPEG file, which can hold several pictures; a damaged list of them does not matter."""
    try:
        return JpegImagePlugin.jpeg_factory(file)
    except Exception:  # noqa: BLE001, many kinds, and what cannot be opened at all fails again
        file.seek(0)
        return JpegImagePlugin.JpegImageFile(file)


def _avif(file: io.BytesIO) -> ImageFile.ImageFile:
    """Open an AVIF file; its decoder refuses damaged EXIF, which is then hidden from it."""
    try:
        return AvifImagePlugin.AvifImageFile(file)
    except Exception:
        hidden = re.sub(rb"(infe.{8})Exif", rb"\1free", file.getvalue(), flags=re.DOTALL)
        if hidden == file.getvalue():
            raise
        return AvifImagePlugin.AvifImageFile(io.BytesIO(hidden))


# The classes themselves: Image.open would apply Pillow's limit, and load plugins when it is called first.
OPENERS: dict[str, Callable[[io.BytesIO], ImageFile.ImageFile]] = {
    "BMP": BmpImagePlugin.BmpImageFile,
    "GIF": _Gif,
    "JPEG": _jpeg,
    "PNG": PngImagePlugin.PngImageFile,
    "TIFF": _Tiff,
    "WEBP": WebPImagePlugin.WebPImageFile,
    "AVIF": _avif,
}
if importlib.util.find_spec("pillow_heif"):
    OPENERS["HEIF"] = importlib.import_module("pillow_heif").HeifImageFile
FORMATS = list(OPENERS)


def decode(encoded: bytes, colours: Colours, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Decode the first frame of a picture, turned upright, in sRGB, as uint8 [H, W, C].

    Colours become grey by ITU-R 601-2. 16 bits become 8 by leaving the lower 8 out.

    Args:
        encoded: The bytes of a file in one of FORMATS; the format is known by them alone.
        colours: The channels, and what is behind transparent pixels.
        max_pixels: The largest height times width; larger pictures are refused before they are decoded.

    Raises:
        Fault: the file is not such a picture, or it is damaged.
    """
    opened = open_checked(encoded, max_pixels)
    pixels = np.asarray(render(opened.image, colours))
    return pixels.reshape(*pixels.shape[:2], -1)


def open_checked(encoded: bytes, max_pixels: int = MAX_PIXELS) -> Opened:
    """Decode a picture, as `decode`, and keep the channels that it has.

    Raises:
        Fault: the file is not such a picture, or it is damaged.
    """
    name = _require_format(encoded)
    try:
        _require_size(headers.size_of(encoded), max_pixels)
        stored = OPENERS[name](io.BytesIO(encoded))
        _require_size(stored.size, max_pixels)
        _require_few_scans(stored, encoded, max_pixels)
        notes = _notes(stored, encoded)
        stored.load()
        _scale_transparency(stored, encoded)
        return _opened(stored, _plain(stored, encoded), notes)
    except Fault:
        raise
    except MemoryError as error:
        raise Fault("too_large", "cannot be decoded: there is not enough memory") from error
    except Exception as error:
        raise _fault(encoded, error) from error


def render(image: Image.Image, colours: Colours) -> Image.Image:
    """Give an image in mode L, LA, RGB or RGBA the channels that are asked for."""
    mode = MODES[colours.channels or (1 if image.mode in ("L", "LA") else 3)]
    if image.mode in ("LA", "RGBA") and mode in ("L", "RGB"):
        ground = Image.new("RGBA", image.size, (*colours.background, 255))
        image = Image.alpha_composite(ground, image.convert("RGBA"))
    return image if image.mode == mode else image.convert(mode)


def recolour(pixels: np.ndarray, channels: int | None) -> np.ndarray:
    """Convert decoded pixels as `decode` does; an alpha channel that is left out is composed on white.

    Args:
        pixels: uint8 [H, W, 1 to 4].
        channels: 1 to 4; None changes nothing.

    Returns:
        uint8 [H, W, channels].
    """
    if channels in (None, pixels.shape[-1]):
        return pixels
    image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else np.ascontiguousarray(pixels))
    return np.asarray(render(image, Colours(channels))).reshape(*pixels.shape[:2], channels)


def _require_format(encoded: bytes) -> str:
    if not encoded:
        raise Fault("empty", "expected a picture, found an empty file")
    name = headers.format_of(encoded)
    if name in OPENERS:
        return str(name)
    expected = f"expected a picture in one of {', '.join(FORMATS)}"
    if name is None:
        raise Fault("not_a_picture", f"{expected}; the file's first bytes are {encoded[:8]!r}")
    remedy = (
        "run `pip install pillow-heif` to read it" if name == "HEIF" else "convert it, for example to PNG"
    )
    raise Fault("format", f"{expected}; found {'HEIC' if name == 'HEIF' else name}: {remedy}")


def _require_size(size: tuple[int, int] | None, max_pixels: int) -> None:
    width, height = size or (1, 1)
    if width * height > max_pixels:
        raise Fault(
            "too_large",
            f"expected at most {max_pixels} pixels, found {width} x {height} (width x height); shrink the"
            " picture, or raise the limit if you trust it",
        )


def _require_few_scans(stored: ImageFile.ImageFile, encoded: bytes, max_pixels: int) -> None:
    """Refuse a small JPEG file of thousands of scans, which would take minutes."""
    if not stored.info.get("progressive"):
        return
    count, (width, height) = headers.scans(encoded), stored.size
    if count * width * height > MAX_PASSES * max_pixels:
        raise Fault(
            "too_large",
            f"expected at most {MAX_PASSES * max_pixels} pixels in all scans, found {count} scans of"
            f" {width} x {height} (width x height); save the picture again, or raise the limit",
        )


def _fault(encoded: bytes, error: Exception) -> Fault:
    detail = str(error) or type(error).__name__
    short = "truncated" in detail.lower() or headers.is_cut_short(encoded)
    return Fault("truncated" if short else "damaged", f"cannot be decoded: {detail}")


def _notes(stored: ImageFile.ImageFile, encoded: bytes) -> set[str]:
    """Return the notes that can only be told before the pixels are decoded."""
    found = {"deep": _bits(stored, encoded) > 8, "frames": _has_frames(stored), "cmyk": stored.mode == "CMYK"}
    return {note for note, holds in found.items() if holds}


def _bits(stored: ImageFile.ImageFile, encoded: bytes) -> int:
    """Return the bits of a channel in a PNG or TIFF file; 8 for others, whose decoders always give 8."""
    if isinstance(stored, TiffImagePlugin.TiffImageFile):
        return max(stored.tag_v2.get(TiffImagePlugin.BITSPERSAMPLE, (1,)))
    return encoded[24] if isinstance(stored, PngImagePlugin.PngImageFile) else 8


def _scale_transparency(stored: ImageFile.ImageFile, encoded: bytes) -> None:
    """Bring the transparent colour of a PNG file to the pixels' scale; Pillow leaves it as it is stored."""
    colour = stored.info.get("transparency")
    bits = _bits(stored, encoded)
    if isinstance(colour, int) and stored.mode == "L" and bits < 8:
        stored.info["transparency"] = colour * 255 // (2**bits - 1)
    elif isinstance(colour, tuple) and bits == 16:
        stored.info["transparency"] = tuple(value >> 8 for value in colour)


def _has_frames(stored: ImageFile.ImageFile) -> bool:
    try:
        return bool(getattr(stored, "is_animated", False))
    except Exception:  # noqa: BLE001, a second frame that is damaged in any way
        return False


def _opened(stored: ImageFile.ImageFile, plain: Image.Image, notes: set[str]) -> Opened:
    """Turn the plain image of a file upright and bring it to sRGB."""
    turn = UPRIGHT.get(_orientation(stored))
    converted = profiles.to_srgb(stored if stored.mode == "CMYK" else plain, stored.info.get("icc_profile"))
    image = plain if converted is None else converted
    found = {"turned": turn is not None, "profile": converted is not None, "alpha": plain.mode[-1] == "A"}
    return Opened(
        image if turn is None else image.transpose(turn),
        str(stored.format),
        stored.mode,
        frozenset(notes | {note for note, holds in found.items() if holds}),
    )


def _orientation(stored: ImageFile.ImageFile) -> int:
    try:
        if isinstance(stored, TiffImagePlugin.TiffImageFile):
            return int(stored.tag_v2.get(ExifTags.Base.Orientation, 1))
        return int(stored.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # noqa: BLE001, EXIF that is damaged in any way is no reason to refuse the picture
        return 1


def _plain(stored: ImageFile.ImageFile, encoded: bytes) -> Image.Image:
    """Convert a loaded image to mode L, LA, RGB or RGBA, without its profile."""
    if stored.mode.startswith(("I", "F")):
        return _shifted(stored)
    png = isinstance(stored, PngImagePlugin.PngImageFile)
    grey = stored.mode in ("1", "L", "LA", "La") or (png and encoded[25] == PNG_GREY_ALPHA)
    if stored.has_transparency_data:
        return stored.convert("LA" if grey else "RGBA")
    return stored.convert("L" if grey else "RGB")


def _shifted(stored: ImageFile.ImageFile) -> Image.Image:
    """Take the upper 8 bits of grey pixels of 16 bits, or of 12."""
    tags = stored.tag_v2 if isinstance(stored, TiffImagePlugin.TiffImageFile) else {}
    bits = max(tags.get(TiffImagePlugin.BITSPERSAMPLE, (16,)))
    values = np.asarray(stored)
    if stored.mode == "F" or bits > 16 or values.min() < 0:
        raise Fault(
            "deep",
            f"expected at most 16 bits a channel, none of them a sign, found mode {stored.mode} with values"
            f" from {values.min():g} to {values.max():g}; convert the picture to 8 or 16 bits",
        )
    grey = (values >> (bits - 8)).astype(np.uint8)
    if tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == 0:
        grey = 255 - grey
    if "transparency" not in stored.info:
        return Image.fromarray(grey)
    alpha = np.where(values == stored.info["transparency"], 0, 255).astype(np.uint8)
    return Image.fromarray(np.stack([grey, alpha], axis=-1))
