"""Small copies of test images as text for a page, as good as its room allows."""

from functools import partial
from typing import NamedTuple

import numpy as np
from PIL import Image

from stages.inputs import arrays
from stages.page import embedded
from stages.running import ahead, progress

SAMPLE = 100  # images by which a level is judged before all are encoded


class Level(NamedTuple):
    """How good thumbnails are."""

    side: int  # pixels of the longer side, at most
    quality: int  # of WebP, in 0..100


# The best comes first. At 32 pixels, they take 540 to 180 characters an image.
LEVELS = [
    Level(128, 80),
    Level(96, 75),
    Level(64, 70),
    Level(48, 60),
    Level(32, 50),
    Level(32, 35),
    Level(24, 30),
    Level(16, 30),
]


class Thumbnails(NamedTuple):
    """Thumbnails of n images: their WebP files in base64, and how good they are."""

    encoded: list[str]
    side: int  # pixels of the longer side
    quality: int  # of WebP, in 0..100


def fitting(images: arrays.Images, places: np.ndarray, room: int) -> Thumbnails:
    """Make thumbnails at the best level at which all of them fit; at the last one if they fit at none.

    Args:
        images: The images of a split, uint8 [N, H, W, C].
        places: int [n], the places of the images that are wanted, in any order.
        room: Characters that all thumbnails may take.
    """
    count = len(places)
    sample = places[np.linspace(0, count - 1, min(SAMPLE, count)).astype(int)]
    for level in LEVELS[:-1]:
        if sum(len(_encoded(images, level, place)) for place in sample) * count > room * len(sample):
            continue
        found = _all(images, places, level)
        if sum(map(len, found)) <= room:
            return _with_level(found, level, images)
    return _with_level(_all(images, places, LEVELS[-1]), LEVELS[-1], images)


def _with_level(encoded: list[str], level: Level, images: arrays.Images) -> Thumbnails:
    return Thumbnails(encoded, min(level.side, max(images.shape[1:3])), level.quality)


def _all(images: arrays.Images, places: np.ndarray, level: Level) -> list[str]:
    with progress.bar(len(places), "thumbnails", "pictures") as bar:
        return list(progress.counted(ahead.mapped(partial(_encoded, images, level), places), bar))


def _encoded(images: arrays.Images, level: Level, place: np.int64) -> str:
    (pixels,) = images[np.array([place])]
    image = _image(pixels)
    image.thumbnail((level.side, level.side))
    return embedded.text(image, level.quality)


def _image(pixels: np.ndarray) -> Image.Image:
    """Return uint8 [H, W, C] as a picture: grey unless it has three or four channels."""
    channels = pixels.shape[-1]
    return Image.fromarray(pixels if channels in (3, 4) else pixels[..., 0]).convert(
        "RGBA" if channels == 4 else "RGB"
    )
