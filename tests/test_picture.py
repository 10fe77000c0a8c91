"""Picture files of every kind become the pixels that are asked for, or are refused with the reason."""

import concurrent.futures
import io
import pickle
import subprocess
import sys
import time
import warnings
import zlib

import numpy as np
import pytest
import tensorflow_datasets
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFile, ImageOps

from stages.decoding import headers, picture
from stages.running import errors
from tests import odd_pictures
from tests.odd_pictures import COLOURS, PICTURE, chunk, encode, png

pytestmark = pytest.mark.filterwarnings(r"ignore::UserWarning:PIL\..*")  # pytest replaces our own filter
GENERATOR = np.random.default_rng(0)
NOISE = Image.fromarray(GENERATOR.integers(0, 256, (9, 14, 3), np.uint8))
FORMATS = ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "AVIF"]


def decode(encoded, channels=3, **options):
    return picture.decode(encoded, picture.Colours(channels), **options)


def kind_of(encoded, **options):
    with pytest.raises(picture.Fault) as caught:
        decode(encoded, **options)
    return caught.value.kind


@pytest.mark.parametrize("odd", odd_pictures.SOUND, ids=lambda odd: odd.name)
def test_an_odd_file_gives_its_pixels(odd):
    decoded = decode(odd.encoded, None)
    assert decoded.dtype == np.uint8
    assert decoded.shape == odd.expected.shape
    assert np.abs(decoded.astype(int) - odd.expected).max() <= odd.off


@pytest.mark.parametrize("odd", odd_pictures.FAULTS, ids=lambda odd: odd.name)
def test_a_faulty_file_is_refused_at_once(odd):
    start = time.process_time()
    with pytest.raises(picture.Fault) as caught:
        decode(odd.encoded)
    assert time.process_time() - start < 1
    assert caught.value.kind == odd.expected
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("file_format", ["PNG", "JPEG"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_ordinary_pictures_are_as_tfds_decodes_them_with_pillow(mode, file_format):
    channels = len(mode)
    encoded = encode(NOISE.convert(mode), file_format)
    feature = tensorflow_datasets.features.Image(shape=(None, None, channels))
    expected = feature.decode_example_np_with_pil(encoded, channels)
    assert np.array_equal(decode(encoded, channels), expected)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_every_kind_of_pixel_becomes_the_declared_channels(mode, channels):
    white = (
        Image.new("RGB", (4, 5), "white").convert(mode) if mode != "I;16" else Image.new(mode, (4, 5), 65535)
    )
    decoded = decode(encode(white, "JPEG" if mode == "CMYK" else "PNG"), channels)
    assert decoded.shape == (5, 4, channels)
    assert decoded.dtype == np.uint8
    assert np.all(decoded == 255)


def test_an_alpha_channel_that_is_declared_is_kept():
    pixels = GENERATOR.integers(0, 256, (3, 4, 4), np.uint8)
    assert np.array_equal(decode(encode(Image.fromarray(pixels)), 4), pixels)


@pytest.mark.parametrize(("channels", "expected"), [(1, [76]), (3, [255, 0, 0]), (None, [255, 0, 0])])
def test_what_is_transparent_shows_the_background(channels, expected):
    clear = encode(Image.new("RGBA", (2, 2), (9, 9, 9, 0)))
    red = picture.Colours(channels, (255, 0, 0))
    assert np.all(picture.decode(clear, red) == expected)


def test_alpha_is_composed_as_pillow_composes_it_on_white():
    image = Image.fromarray(GENERATOR.integers(0, 256, (64, 64, 4), np.uint8))
    composed = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    assert np.array_equal(decode(encode(image)), np.asarray(composed.convert("RGB")))
    assert np.array_equal(decode(encode(image), 1)[..., 0], np.asarray(composed.convert("L")))


def test_odd_exif_that_pillow_cannot_write_back_still_turns():
    exif = Image.Exif()
    exif[0x0112], exif[0x0110] = 3, "camera"
    odd = exif.tobytes().replace(b"\x01\x10\x00\x02", b"\x01\x3f\x00\x02")  # text as chromaticities
    upside_down = odd_pictures.turned(3)
    with pytest.raises(TypeError):
        ImageOps.exif_transpose(Image.open(io.BytesIO(encode(upside_down, exif=odd))))
    assert np.array_equal(decode(encode(upside_down, exif=odd)), COLOURS)


def test_a_tiff_of_odd_tags_still_turns():
    exif = odd_pictures.exif(3)
    exif[0x0110] = "camera"
    encoded = encode(odd_pictures.turned(3), "TIFF", exif=exif)
    odd = encoded.replace(b"\x10\x01\x02\x00", b"\x3f\x01\x02\x00")
    assert odd != encoded
    assert np.array_equal(decode(odd), COLOURS)


@pytest.mark.parametrize("file_format", FORMATS)
def test_max_pixels_alone_decides(file_format):
    encoded, size = encode(NOISE, file_format), NOISE.width * NOISE.height
    assert decode(encoded, max_pixels=size).shape == (9, 14, 3)
    assert kind_of(encoded, max_pixels=size - 1) == "too_large"


def test_a_refusal_for_size_says_both_sizes():
    with pytest.raises(picture.Fault, match=r"at most 125 pixels, found 14 x 9 \(width x height\)"):
        decode(encode(NOISE), max_pixels=125)


def test_pillows_own_limit_neither_warns_nor_refuses():
    large = png(9500, 9500, 1, 0, bytes(9500 * 1189))  # Pillow's own limit warns from 89,478,485 on
    larger = odd_pictures.tiff("<", 8, bytes(1), size=(16_000, 16_000))  # and refuses from twice that on
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert decode(large, 1).shape == (9500, 9500, 1)
    assert kind_of(larger, max_pixels=10**9) == "truncated"


def test_a_large_size_is_refused_before_memory_is_taken():
    program = (
        "import resource; from stages.decoding import picture; from tests import odd_pictures\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "for odd in odd_pictures.FAULTS:\n"
        "    if odd.expected == 'too_large':\n"
        "        try: picture.decode(odd.encoded, picture.Colours(3))\n"
        "        except picture.Fault: pass\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(run.stdout) < 20_000  # KiB


def test_many_scans_of_a_small_picture_are_no_fault():
    assert decode(odd_pictures.many_scans(50)).shape == (640, 640, 3)


def test_scans_of_a_preview_do_not_count():
    preview = b"Exif\0\0" + b"\xff\xda" * 99
    assert headers.scans(encode(PICTURE, "JPEG", exif=preview)) == 1


def test_heic_says_what_to_install():
    heic = next(odd for odd in odd_pictures.FAULTS if odd.name == "phone.heic")
    with pytest.raises(picture.Fault, match="found HEIC: run `pip install pillow-heif`"):
        decode(heic.encoded)


@pytest.mark.parametrize("encoded", [b"", b"hello", encode(NOISE, "PPM")])
def test_what_is_no_picture_is_a_bad_input(encoded):
    with pytest.raises(errors.BadInput, match="expected a picture"):
        decode(encoded)


def test_a_fault_can_be_passed_between_processes():
    fault = pickle.loads(pickle.dumps(picture.Fault("damaged", "in\ntwo lines")))
    assert (fault.kind, str(fault)) == ("damaged", "in two lines")


def test_odd_metadata_is_not_reported_on_standard_error():
    program = (
        "from stages.decoding import picture; from tests import odd_pictures\n"
        "for odd in odd_pictures.SOUND: picture.decode(odd.encoded, picture.Colours(3))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stderr == ""


def test_truncated_pictures_stay_faults_of_pillow():
    assert not ImageFile.LOAD_TRUNCATED_IMAGES


def test_many_threads_decode_as_one_does():
    sound = [odd.encoded for odd in odd_pictures.SOUND if len(odd.encoded) < 10_000] * 4
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        together = list(pool.map(decode, sound))
    for encoded, pixels in zip(sound, together, strict=True):
        assert np.array_equal(decode(encoded), pixels)


@pytest.mark.parametrize("before", [1, 2, 3, 4])
@pytest.mark.parametrize("after", [1, 2, 3, 4, None])
def test_recolouring_is_as_decoding(before, after):
    pixels = GENERATOR.integers(0, 256, (5, 7, before), np.uint8)
    stored = encode(Image.fromarray(pixels[..., 0] if before == 1 else pixels))
    recoloured = picture.recolour(pixels, after)
    assert recoloured.dtype == np.uint8
    assert np.array_equal(recoloured, decode(stored, after or before))


def test_grey_repeats_and_opaque_alpha_is_added():
    pixels = np.array([[[7], [200]]], np.uint8)
    assert picture.recolour(pixels, 4).tolist() == [[[7, 7, 7, 255], [200, 200, 200, 255]]]
    assert picture.recolour(np.array([[[255, 0, 0]]], np.uint8), 2).tolist() == [[[76, 255]]]


@given(
    file_format=st.sampled_from(FORMATS),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=5),
    kept=st.floats(0.05, 1),
)
def test_a_damaged_picture_is_decoded_or_refused(file_format, changes, kept):
    damaged = bytearray(encode(NOISE, file_format))
    for place, value in changes:
        damaged[int(place * len(damaged))] = value
    try:
        assert decode(bytes(damaged[: int(kept * len(damaged)) + 1])).shape[2] == 3
    except picture.Fault as error:
        assert "\n" not in str(error)


@given(start=st.sampled_from([odd.encoded[:40] for odd in odd_pictures.SOUND]), rest=st.binary(max_size=300))
def test_any_bytes_after_a_start_are_refused_or_decoded(start, rest):
    try:
        decode(start + rest, None)
    except picture.Fault as error:
        assert error.kind in {"format", "truncated", "damaged", "too_large", "deep", "not_a_picture"}


def test_a_profile_that_is_damaged_in_any_place_is_no_fault():
    profile = odd_pictures.swapped_profile()
    for place in range(0, len(profile), 7):
        damaged = bytearray(profile)
        damaged[place] ^= 0xFF
        assert decode(encode(NOISE, icc_profile=bytes(damaged))).shape == (9, 14, 3)


def test_text_in_many_chunks_is_refused_in_time():
    million = zlib.compress(bytes(1_000_000))
    texts = [chunk(b"zTXt", b"C%d\0\0" % place + million) for place in range(70)]
    start = time.process_time()
    assert kind_of(png(1, 1, 8, 0, b"\0a", *texts)) == "damaged"
    assert time.process_time() - start < 3
