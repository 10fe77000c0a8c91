"""The facts about a picture: what it is, how bright and sharp, and which pictures are like it."""

import itertools

import numpy as np
import pytest
from PIL import Image, ImageFilter
from sklearn import datasets

from stages.decoding import examine, picture
from tests import odd_pictures
from tests.odd_pictures import COLOURS, PICTURE, encode

pytestmark = pytest.mark.filterwarnings(r"ignore::UserWarning:PIL\..*")  # pytest replaces our own filter
PATCH = 85, 80  # height and width of the pieces that the photographs are cut into, 40 of each
PLAIN = 8  # grey levels; pieces whose standard deviation is less show nothing but sky or blur
NEAR = 4  # bits


def patches():
    height, width = PATCH
    for photograph in datasets.load_sample_images().images:
        for top, left in itertools.product(range(0, 5 * height, height), range(0, 8 * width, width)):
            piece = Image.fromarray(photograph[top : top + height, left : left + width])
            if np.asarray(piece.convert("L")).std() >= PLAIN:
                yield piece


def textures(count):
    generator = np.random.default_rng(0)
    for _ in range(count):
        colours = generator.integers(0, 256, (*generator.integers(2, 14, 2), 3), np.uint8)
        yield Image.fromarray(colours).resize((160, 120), Image.Resampling.BICUBIC)


def scaled(image, factor):
    return image.resize([round(side * factor) for side in image.size], Image.Resampling.BILINEAR)


PICTURES = [*patches(), *textures(40)]
COPIES = {
    **{f"JPEG {quality}": ("JPEG", 1, {"quality": quality}) for quality in (50, 60, 75, 85, 95)},
    **{f"WEBP {quality}": ("WEBP", 1, {"quality": quality}) for quality in (50, 80)},
    **{f"x {factor}": ("BMP", factor, {}) for factor in (0.5, 0.75, 2)},
    "JPEG of half": ("JPEG", 0.5, {"quality": 75}),
}


def hash_of(encoded):
    return int(examine.examine("", encoded).hash, 16)


HASHES = [hash_of(encode(image)) for image in PICTURES]


@pytest.mark.parametrize("copy", COPIES)
def test_the_hash_of_a_copy_is_near(copy):
    file_format, factor, options = COPIES[copy]
    hashes = [hash_of(encode(scaled(image, factor), file_format, **options)) for image in PICTURES]
    near = [(one ^ other).bit_count() <= NEAR for one, other in zip(HASHES, hashes, strict=True)]
    assert len(near) >= 100
    assert np.mean(near) >= 0.95


def test_the_hashes_of_unrelated_pictures_are_far():
    pairs = [(one ^ other).bit_count() <= NEAR for one, other in itertools.combinations(HASHES, 2)]
    assert len(pairs) >= 5000
    assert np.mean(pairs) <= 0.001


def test_each_bit_says_that_the_left_is_brighter():
    steps = (
        np.linspace(250, 90, 9)
        .astype(np.uint8)
        .repeat(10)[None, :, None]
        .repeat(80, axis=0)
        .repeat(3, axis=-1)
    )
    assert examine.difference_hash(steps) == "f" * 16
    assert examine.difference_hash(steps[:, ::-1]) == "0" * 16
    upper = steps.copy()
    upper[40:] = 255
    found = examine.difference_hash(upper)  # the fifth row shares the edge
    assert (found[:8], found[10:]) == ("f" * 8, "0" * 6)


def test_the_noise_of_a_flat_picture_sets_no_bits():
    flat = np.full((100, 100, 3), 127, np.uint8) + np.random.default_rng(0).integers(
        0, 4, (100, 100, 3), np.uint8
    )
    assert examine.difference_hash(flat) == "0" * 16


def test_the_hash_of_a_file_is_that_of_its_pixels():
    image = PICTURES[0]
    assert examine.examine("", encode(image)).hash == examine.difference_hash(np.asarray(image))


@pytest.mark.parametrize("odd", odd_pictures.SOUND, ids=lambda odd: odd.name)
def test_an_odd_file_is_noted(odd):
    facts = examine.examine(odd.name, odd.encoded)
    assert facts.notes == odd.notes
    assert (facts.height, facts.width) == odd.expected.shape[:2]


@pytest.mark.parametrize("odd", odd_pictures.FAULTS, ids=lambda odd: odd.name)
def test_a_faulty_file_is_the_fault_of_decoding(odd):
    with pytest.raises(picture.Fault) as caught:
        examine.examine(odd.name, odd.encoded)
    assert caught.value.kind == odd.expected


def test_max_pixels_holds_here_too():
    with pytest.raises(picture.Fault, match="at most 1535 pixels"):
        examine.examine("", encode(PICTURE), 1535)


@pytest.mark.parametrize(
    ("name", "mode", "file_format"),
    [
        ("ordinary.jpg", "RGB", "JPEG"),
        ("adobe_cmyk.jpg", "CMYK", "JPEG"),
        ("stereo.mpo", "RGB", "MPO"),
        ("deep.png", "I;16", "PNG"),
        ("palette.png", "P", "PNG"),
        ("bits.tif", "1", "TIFF"),
        ("ordinary.avif", "RGB", "AVIF"),
        ("animated.gif", "P", "GIF"),
        ("grey.bmp", "L", "BMP"),
    ],
)
def test_the_mode_and_format_are_those_stored(name, mode, file_format):
    odd = next(odd for odd in odd_pictures.SOUND if odd.name == name)
    facts = examine.examine(name, odd.encoded)
    assert (facts.mode, facts.format) == (mode, file_format)


def test_equal_pictures_are_equal_in_any_file():
    solid, grey = PICTURE.copy(), PICTURE.convert("L")
    solid.putalpha(255)
    same = [encode(PICTURE), encode(PICTURE, "BMP"), encode(PICTURE, "WEBP", lossless=True), encode(solid)]
    same += [encode(odd_pictures.turned(6), exif=odd_pictures.exif(6)), encode(PICTURE.quantize(8), "GIF")]
    digests = {examine.examine("", encoded).pixels for encoded in same}
    assert len(digests) == 1
    assert len(digests.pop()) == 32
    assert examine.examine("", encode(grey)).pixels == examine.examine("", encode(grey.convert("RGB"))).pixels


def test_what_is_transparent_counts_as_white():
    clear = PICTURE.copy()
    clear.putalpha(0)
    hidden, white = (
        examine.examine("", encode(clear)),
        examine.examine("", encode(Image.new("L", PICTURE.size, 255))),
    )
    assert (hidden.pixels, hidden.luminance) == (white.pixels, 1.0)


def test_different_pictures_differ():
    other = COLOURS.copy()
    other[-1, -1, -1] ^= 1
    reshaped = Image.fromarray(COLOURS.reshape(48, 32, 3))
    encoded = [encode(PICTURE), encode(Image.fromarray(other)), encode(reshaped)]
    assert len({examine.examine("", each).pixels for each in encoded}) == 3


@pytest.mark.parametrize(("colour", "luminance"), [("white", 1.0), ("black", 0.0), ((51, 51, 51), 0.2)])
def test_the_luminance_is_the_mean_grey(colour, luminance):
    assert examine.examine("", encode(Image.new("RGB", (700, 300), colour))).luminance == luminance


def test_the_sharpness_is_the_laplacians_variance():
    stripes = np.zeros((20, 20), np.uint8)
    stripes[:, ::2] = 200
    facts = examine.examine("", encode(Image.fromarray(stripes)))
    assert facts.sharpness == 400**2  # 2 * 200 above or below its neighbours, turn by turn
    assert examine.examine("", encode(Image.new("L", (20, 20), 77))).sharpness == 0
    assert examine.examine("", encode(Image.new("L", (2, 20), 77))).sharpness == 0


def test_a_blurred_picture_is_less_sharp():
    photograph = Image.fromarray(datasets.load_sample_images().images[0])
    sharp, blurred = photograph, photograph.filter(ImageFilter.GaussianBlur(4))
    assert examine.examine("", encode(sharp)).sharpness > 10 * examine.examine("", encode(blurred)).sharpness


def test_the_sharpness_hardly_depends_on_the_size():
    photograph = Image.fromarray(datasets.load_sample_images().images[0])
    values = [
        examine.examine("", encode(scaled(photograph, factor), "BMP")).sharpness for factor in (1, 2, 3)
    ]
    assert max(values) < 1.25 * min(values)


@pytest.mark.parametrize("name", ["a.jpg", "a.JPG", "deep/er/a.b.jpeg", "a", "ä ö.jfif", ".jpg"])
def test_a_fitting_suffix_is_not_noted(name):
    assert examine.examine(name, encode(PICTURE, "JPEG")).notes == ""


@pytest.mark.parametrize("name", ["a.png", "a.jpg.bak", "a.txt"])
def test_another_suffix_is_noted(name):
    assert examine.examine(name, encode(PICTURE, "JPEG")).notes == "extension"


@pytest.mark.parametrize(("side", "notes"), [(9, "tiny"), (10, "")])
def test_a_side_of_ten_pixels_is_not_tiny(side, notes):
    assert examine.examine("", encode(Image.new("L", (30, side)))).notes == notes
