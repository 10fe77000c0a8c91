"""Colours by the ICC profile of their picture become sRGB."""

import functools
import io

import numpy as np
from PIL import Image, ImageCms

NEAR = 2  # levels; a profile that moves no colour further is taken for sRGB itself and changes nothing
KEPT = 32  # profiles in memory; a data set has few
LATTICE = np.linspace(0, 255, 9).round().astype(np.uint8)
RAMP = np.arange(256, dtype=np.uint8)[None]


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image | None:
    """Convert an image from the colour space of its profile to sRGB.

    Any number of threads may call this at once.

    Args:
        image: An image in one of the modes L, LA, RGB, RGBA or CMYK; alpha is kept.
        profile: The ICC profile that is embedded in its file.

    Returns:
        The image in sRGB, RGB for CMYK and else in its mode; None if it needs no conversion, or if the
        profile is damaged or made for another kind of pixels.
    """
    if not isinstance(profile, bytes) or not profile:
        return None
    if image.mode in ("L", "LA"):
        curve = _grey_curve(profile)
        return image.point(curve + list(range(256)) * (image.mode == "LA")) if curve else None
    transform = _transform(profile, image.mode)
    return ImageCms.applyTransform(image, transform) if transform else None


@functools.lru_cache(KEPT)
def _grey_curve(profile: bytes) -> list[int] | None:
    """Return the sRGB grey of each of the 256 greys."""
    transform = _built(profile, "L")
    if transform is None:
        return None
    ramp = ImageCms.applyTransform(Image.fromarray(RAMP), transform)
    curve = np.asarray(ramp.convert("L")) if ramp else RAMP
    return None if _near(curve, RAMP) else curve[0].tolist()


@functools.lru_cache(KEPT)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    transform = _built(profile, mode)
    if transform is None or mode == "CMYK":
        return transform
    lattice = np.stack(np.meshgrid(LATTICE, LATTICE, LATTICE), axis=-1).reshape(1, -1, 3)
    probe = Image.fromarray(lattice).convert(mode)
    moved = ImageCms.applyTransform(probe, transform)
    return None if moved is None or _near(np.asarray(moved), np.asarray(probe)) else transform


def _built(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    try:
        return ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            mode,
            "RGBA" if mode == "RGBA" else "RGB",
        )
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return None


def _near(one: np.ndarray, other: np.ndarray) -> bool:
    return int(np.abs(one.astype(int) - other).max()) <= NEAR
