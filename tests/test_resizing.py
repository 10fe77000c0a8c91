"""A picture comes to another size squashed, cropped or padded, with the pixels of one resampling."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from stages.decoding import resizing

GENERATOR = np.random.default_rng(0)
SIDES = st.integers(1, 60)


def noise(*shape):
    return GENERATOR.integers(0, 256, shape, np.uint8)


def by_channel(pixels, size):
    """Scale each channel on its own, as the splits always did."""
    planes = [
        Image.fromarray(np.ascontiguousarray(pixels[..., channel])).resize(
            (size[1], size[0]), Image.Resampling.BILINEAR
        )
        for channel in range(pixels.shape[-1])
    ]
    return np.stack([np.asarray(plane) for plane in planes], axis=-1)


@given(height=SIDES, width=SIDES, channels=st.integers(1, 4), size=st.tuples(SIDES, SIDES))
def test_squashing_scales_each_channel_on_its_own(height, width, channels, size):
    pixels = noise(height, width, channels)
    squashed = resizing.resize(pixels, size, "squash")
    assert squashed.dtype == np.uint8
    assert np.array_equal(squashed, by_channel(pixels, size))


@pytest.mark.parametrize("policy", ["squash", "crop", "pad"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [(7, 7), (1, 9), (30, 4), (40, 60)])
def test_every_policy_gives_the_size(policy, channels, size):
    for shape in ((20, 30), (1, 1), (200, 3), (3, 200)):
        assert resizing.resize(noise(*shape, channels), size, policy).shape == (*size, channels)


@pytest.mark.parametrize("policy", ["squash", "crop", "pad"])
def test_an_equal_size_changes_nothing(policy):
    pixels = noise(12, 17, 3)
    assert np.array_equal(resizing.resize(pixels, [12, 17], policy), pixels)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize(
    ("shape", "middle"), [((40, 100), np.s_[:, 30:70]), ((100, 40), np.s_[30:70]), ((40, 40), np.s_[:])]
)
def test_cropping_takes_the_middle(channels, shape, middle):
    pixels = noise(*shape, channels)
    cropped, expected = resizing.resize(pixels, (10, 10), "crop"), by_channel(pixels[middle], (10, 10))
    differ = np.abs(cropped.astype(int) - expected)[
        1:-1, 1:-1
    ]  # at the edges, the filter sees what is cut off
    assert differ.max() <= 1


def test_cropping_takes_all_it_can_of_another_shape():
    columns = np.arange(90, dtype=np.uint8)[None, :, None].repeat(30, axis=0)
    cropped = resizing.resize(columns, (10, 20), "crop")[..., 0].astype(int)
    assert np.abs(cropped[0] - (15 + 3 * (np.arange(20) + 0.5) - 0.5)).max() <= 1


def test_cropping_between_pixels_takes_parts_of_them():
    columns = np.array([0, 100, 200], np.uint8)[None, :, None].repeat(2, axis=0)
    image = Image.fromarray(columns[..., 0])
    expected = np.asarray(image.resize((4, 4), Image.Resampling.BILINEAR, (0.5, 0, 2.5, 2)))
    assert np.array_equal(resizing.resize(columns, (4, 4), "crop")[..., 0], expected)


@pytest.mark.parametrize(
    ("channels", "ground"), [(1, [76]), (2, [76, 255]), (3, [255, 0, 0]), (4, [255, 0, 0, 255])]
)
def test_padding_shows_the_whole_picture_on_its_ground(channels, ground):
    pixels = noise(20, 40, channels)
    padded = resizing.resize(pixels, (20, 20), "pad", (255, 0, 0))
    assert np.array_equal(padded[5:15], by_channel(pixels, (10, 20)))
    assert np.all(padded[:5] == ground)
    assert np.all(padded[15:] == ground)


def test_padding_is_white_unless_said_and_on_both_sides():
    padded = resizing.resize(np.zeros((9, 3, 3), np.uint8), (9, 9), "pad")
    assert np.all(padded[:, 3:6] == 0)
    assert np.all(padded[:, :3] == 255)
    assert np.all(padded[:, 6:] == 255)


def test_padding_keeps_a_line_at_least_one_pixel_wide():
    padded = resizing.resize(np.zeros((1, 500, 1), np.uint8), (9, 9), "pad")
    assert np.all(padded[4] == 0)
    assert np.count_nonzero(padded == 0) == 9


def test_pixels_out_of_order_in_memory_are_scaled_as_well():
    pixels = noise(20, 30, 3)
    view = np.asfortranarray(pixels)[::-1]
    assert np.array_equal(resizing.resize(view, (7, 8), "squash"), by_channel(pixels[::-1], (7, 8)))


def test_colours_under_transparency_stay_apart_from_alpha():
    pixels = np.array([[[255, 0, 0, 0], [0, 0, 255, 255]]], np.uint8)
    assert resizing.resize(pixels, (1, 1), "squash").tolist() == [[[128, 0, 128, 128]]]


@pytest.mark.parametrize("policy", ["squish", ""])
def test_an_unknown_policy_is_refused(policy):
    with pytest.raises(ValueError, match="expected one of: squash, crop, pad"):
        resizing.resize(noise(3, 3, 3), (3, 4), policy)
