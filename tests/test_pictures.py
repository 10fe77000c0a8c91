"""Pictures of every kind become the pixels that a person would see."""

import io

import numpy as np
import pytest
from PIL import Image

from stages.datasets import pictures
from stages.running import errors

RED, WHITE = (255, 0, 0), (255, 255, 255)


def file(image, kind="PNG", **options):
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def red(mode):
    return Image.new("RGB", (3, 2), RED).convert(mode)


@pytest.mark.parametrize(
    "content",
    [
        file(red("RGB")),
        file(red("RGBA")),
        file(red("P")),
        file(red("P"), "GIF"),
        file(red("CMYK"), "TIFF"),
        file(red("RGB"), "BMP"),
        file(red("RGB"), "WEBP", lossless=True),
    ],
    ids=["RGB", "RGBA", "palette", "GIF", "CMYK", "BMP", "WebP"],
)
def test_red_is_red_in_every_kind_of_file(content):
    assert np.array_equal(pictures.decode(content, 3, "x"), np.full((2, 3, 3), RED, np.uint8))


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("channels", [1, 3])
def test_an_ordinary_picture_is_what_pillow_reads(kind, channels):
    values = np.random.default_rng(0).integers(0, 256, (8, 9, channels), np.uint8).squeeze()
    content = file(Image.fromarray(values), kind)
    with Image.open(io.BytesIO(content)) as image:
        expected = np.asarray(image).reshape(8, 9, channels)
    assert np.array_equal(pictures.decode(content, channels, "x"), expected)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("image", [Image.new("RGBA", (3, 2), (0, 0, 0, 0)), Image.new("LA", (3, 2), (0, 0))])
def test_what_is_transparent_is_white(image, channels):
    assert (pictures.decode(file(image), channels, "x") == 255).all()


def test_a_transparent_palette_entry_is_white():
    image = Image.new("P", (2, 1), 0)
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((1, 0), 1)
    found = pictures.decode(file(image, transparency=1), 3, "x")
    assert found.tolist() == [[list(RED), list(WHITE)]]


def test_alpha_is_kept_where_it_is_declared():
    found = pictures.decode(file(Image.new("RGBA", (1, 1), (1, 2, 3, 4))), 4, "x")
    assert found.tolist() == [[[1, 2, 3, 4]]]


def test_a_photograph_is_turned_upright():
    image = Image.new("RGB", (3, 2))
    exif = image.getexif()
    exif[0x0112] = 6  # turned by a quarter
    assert pictures.decode(file(image, "JPEG", exif=exif), 3, "x").shape == (3, 2, 3)


def test_the_first_frame_counts():
    content = file(red("P"), "GIF", save_all=True, append_images=[Image.new("P", (3, 2))])
    assert np.array_equal(pictures.decode(content, 3, "x")[0, 0], RED)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (file(red("RGB"), "JPEG")[:-40], "[Tt]runcated|not processed"),
        (b"<html>", "cannot identify"),
        (b"", "cannot identify"),
        (file(Image.fromarray(np.zeros((2, 2), np.uint16))), "more than 8 bits"),
    ],
    ids=["truncated", "page", "empty", "16 bits"],
)
def test_what_is_no_picture_of_8_bits_is_named(content, reason):
    with pytest.raises(errors.BadInput, match=f"train image 7: .*({reason})"):
        pictures.decode(content, 3, "train image 7")


def test_a_picture_too_large_to_be_one_is_refused(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 5)
    with pytest.raises(errors.BadInput, match=r"test image 0: .*exceeds limit"):
        pictures.decode(file(red("RGB")), 3, "test image 0")
