"""Make PNGs small enough for Git: fewer colours, and fewer pixels if that is not enough."""

import io
from pathlib import Path

from PIL import Image

BYTES = 60_000  # aimed at; pictures of feature maps come to three times as much
TRIES = [(None, 128), (1000, 128)]  # pixels wide at most, colours; with 64 photographs look painted


def png(source: Path, target: Path) -> None:
    """Write a smaller copy: the first try of at most BYTES, or the smallest of all."""
    with Image.open(source) as opened:
        picture = opened.convert("RGB")
    copies = []
    for width, colours in TRIES:
        copies.append(_encode(picture, width, colours))
        if len(copies[-1]) <= BYTES:
            break
    target.write_bytes(min(copies, key=len))


def _encode(picture: Image.Image, width: int | None, colours: int) -> bytes:
    if width is not None and picture.width > width:
        size = (width, round(picture.height * width / picture.width))
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    content = io.BytesIO()
    # Without dithering, whose noise does not compress.
    picture.quantize(colours, dither=Image.Dither.NONE).save(content, "PNG", optimize=True)
    return content.getvalue()
