"""Encoded pictures of every kind become the channels that are asked for, or are refused."""

import io

import numpy as np
import pytest
import tensorflow_datasets
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from stages.decoding import picture
from stages.running import errors

COLOURS = np.array(
    [[[255, 0, 0], [0, 255, 0], [0, 0, 255]], [[9, 8, 7], [0, 0, 0], [255, 255, 255]]], np.uint8
)
GENERATOR = np.random.default_rng(0)
NOISE = Image.fromarray(GENERATOR.integers(0, 256, (9, 14, 3), np.uint8))


def encode(image, file_format="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def palette(**options):
    return Image.fromarray(COLOURS).quantize(8, **options)


@pytest.mark.parametrize("file_format", ["PNG", "JPEG"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_ordinary_pictures_are_as_tfds_decodes_them_with_pillow(mode, file_format):
    channels = len(mode)
    encoded = encode(NOISE.convert(mode), file_format)
    feature = tensorflow_datasets.features.Image(shape=(None, None, channels))
    expected = feature.decode_example_np_with_pil(encoded, channels)
    decoded = picture.decode(encoded, channels)
    assert decoded.dtype == np.uint8
    assert np.array_equal(decoded, expected)


@pytest.mark.parametrize("file_format", ["PNG", "GIF", "BMP"])
def test_a_palette_gives_its_colours(file_format):
    assert np.array_equal(picture.decode(encode(palette(), file_format), 3), COLOURS)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_every_kind_of_pixel_becomes_the_declared_channels(mode, channels):
    file_format = "JPEG" if mode == "CMYK" else "PNG"
    white = Image.new("RGB", (4, 5), "white").convert(mode)
    decoded = picture.decode(encode(white, file_format), channels)
    assert decoded.shape == (5, 4, channels)
    assert decoded.dtype == np.uint8
    assert np.all(decoded == 255)


def test_cmyk_becomes_its_colour():
    red = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    decoded = picture.decode(encode(red, "JPEG", quality=100), 3).astype(int)
    assert np.abs(decoded - [255, 0, 0]).max() <= 3


@pytest.mark.parametrize(("alpha", "expected"), [(255, [200, 0, 100]), (0, [255, 255, 255])])
def test_what_is_transparent_is_composed_on_white(alpha, expected):
    colour = Image.new("RGBA", (2, 2), (200, 0, 100, alpha))
    assert np.all(picture.decode(encode(colour), 3) == expected)


def test_a_transparent_palette_entry_is_white():
    image = palette()
    green = image.getpixel((1, 0))
    decoded = picture.decode(encode(image, transparency=green), 3)
    assert decoded[0, 1].tolist() == [255, 255, 255]
    assert np.array_equal(np.delete(decoded.reshape(-1, 3), 1, 0), np.delete(COLOURS.reshape(-1, 3), 1, 0))


def test_an_alpha_channel_that_is_declared_is_kept():
    pixels = GENERATOR.integers(0, 256, (3, 4, 4), np.uint8)
    assert np.array_equal(picture.decode(encode(Image.fromarray(pixels)), 4), pixels)


def test_only_the_first_frame_of_an_animation_is_taken():
    frames = [palette(), Image.new("RGB", (3, 2), "white")]
    encoded = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert np.array_equal(picture.decode(encoded, 3), COLOURS)


@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
@pytest.mark.parametrize(
    ("orientation", "stored"),
    [
        (1, COLOURS),
        (2, COLOURS[:, ::-1]),
        (3, COLOURS[::-1, ::-1]),
        (4, COLOURS[::-1]),
        (5, COLOURS.swapaxes(0, 1)),
        (6, np.rot90(COLOURS, 1)),
        (7, COLOURS[::-1, ::-1].swapaxes(0, 1)),
        (8, np.rot90(COLOURS, -1)),
    ],
)
def test_a_picture_is_turned_upright(orientation, stored, file_format):
    exif = Image.Exif()
    exif[0x0112] = orientation
    encoded = encode(Image.fromarray(np.ascontiguousarray(stored)), file_format, exif=exif)
    assert np.array_equal(picture.decode(encoded, 3), COLOURS)


def test_odd_exif_that_pillow_cannot_write_back_still_turns():
    exif = Image.Exif()
    exif[0x0112], exif[0x0110] = 3, "camera"
    odd = exif.tobytes().replace(b"\x01\x10\x00\x02", b"\x01\x3f\x00\x02")  # text as chromaticities
    upside_down = Image.fromarray(np.ascontiguousarray(COLOURS[::-1, ::-1]))
    with pytest.raises(TypeError):
        ImageOps.exif_transpose(Image.open(io.BytesIO(encode(upside_down, exif=odd))))
    assert np.array_equal(picture.decode(encode(upside_down, exif=odd), 3), COLOURS)


@pytest.mark.parametrize(
    ("dtype", "file_format"), [("u2", "PNG"), ("u2", "TIFF"), ("i4", "TIFF"), ("f4", "TIFF")]
)
def test_more_than_eight_bits_a_channel_are_refused(dtype, file_format):
    deep = encode(Image.fromarray(np.full((2, 2), 1000, dtype)), file_format)
    with pytest.raises(errors.BadInput, match="expected 8 bits a channel, found mode"):
        picture.decode(deep, 1)


@pytest.mark.parametrize("encoded", [b"", b"hello", b"%!PS-Adobe-3.0 EPSF-3.0\n", encode(NOISE, "PPM")])
def test_what_is_no_picture_is_refused_with_those_known(encoded):
    with pytest.raises(errors.BadInput, match="expected a picture in one of BMP, GIF, JPEG, PNG"):
        picture.decode(encoded, 3)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "GIF", "BMP", "WEBP"])
def test_a_truncated_picture_is_refused(file_format):
    encoded = encode(NOISE, file_format)
    with pytest.raises(errors.BadInput, match="cannot be decoded"):
        picture.decode(encoded[: len(encoded) * 3 // 4], 3)


@pytest.mark.parametrize("limit", [NOISE.width * NOISE.height - 1, NOISE.width * NOISE.height // 3])
def test_a_decompression_bomb_is_refused(limit, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with pytest.raises(errors.BadInput, match="decompression bomb"):
        picture.decode(encode(NOISE), 3)


@given(
    file_format=st.sampled_from(["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP"]),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=5),
)
def test_a_damaged_picture_is_decoded_or_refused(file_format, changes):
    damaged = bytearray(encode(NOISE, file_format))
    for place, value in changes:
        damaged[int(place * len(damaged))] = value
    try:
        assert picture.decode(bytes(damaged), 3).shape[2] == 3
    except errors.BadInput as error:
        assert "\n" not in str(error)
