"""Make PNGs small enough for Git, by giving them fewer colours."""

from pathlib import Path

from PIL import Image

COLOURS = 128


def png(source: Path, target: Path) -> None:
    """Write a copy of as many pixels and at most 128 colours.

    The palette covers all colours there are, however rare: the median cut, Pillow's own choice, makes
    the few red letters of a picture of grey clothes grey. Without dithering, whose noise does not compress.
    """
    with Image.open(source) as opened:
        picture = opened.convert("RGB")
    few = picture.quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE, kmeans=1, dither=Image.Dither.NONE)
    few.save(target, "PNG", optimize=True)
