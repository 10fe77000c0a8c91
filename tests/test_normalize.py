"""Fitted constants are those NumPy finds, however the images are cut into chunks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stages.inputs import normalize

images = st.tuples(st.integers(1, 6), st.integers(1, 5), st.integers(1, 5), st.integers(1, 3)).flatmap(
    lambda shape: arrays(np.uint8, shape)
)


@settings(max_examples=50)
@given(images, st.integers(1, 6))
def test_standardize_gives_channel_statistics_for_any_chunks(images, size):
    chunks = (images[first : first + size] for first in range(0, len(images), size))
    mean, std = normalize.standardize(chunks, images.shape[-1])
    np.testing.assert_allclose(mean, images.mean(axis=(0, 1, 2)), atol=1e-4)
    np.testing.assert_allclose(std, np.maximum(images.std(axis=(0, 1, 2)), 1), atol=1e-4)


def test_standardized_pixels_have_mean_0_and_deviation_1():
    images = np.random.default_rng(0).integers(0, 256, (20, 4, 4, 3), np.uint8)
    mean, std = normalize.standardize([images], 3)
    scaled = (images - np.array(mean)) / np.array(std)
    np.testing.assert_allclose(scaled.mean(axis=(0, 1, 2)), 0, atol=1e-4)
    np.testing.assert_allclose(scaled.std(axis=(0, 1, 2)), 1, atol=1e-4)


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 9])
def test_sums_are_those_of_all_pixels_for_few_and_for_many_images(count):
    images = np.random.default_rng(0).integers(0, 256, (count, 4, 5, 3), np.uint8)
    found = normalize.sums(images)
    pixels = images.reshape(-1, 3).astype(np.int64)
    assert found.pixels == len(pixels)
    np.testing.assert_array_equal(found.total, pixels.sum(axis=0))
    np.testing.assert_array_equal(found.squares, (pixels**2).sum(axis=0))


def test_sums_do_not_overflow():
    bright = np.full((300, 32, 32, 1), 255, np.uint8)  # their squares add up to more than 2**32
    bright[0] = 0
    mean, std = normalize.standardize([bright], 1)
    assert (mean[0], std[0]) == (round(255 * 299 / 300, 4), round(255 * 299**0.5 / 300, 4))


def test_a_constant_channel_is_not_divided_by_zero():
    images = np.full((3, 2, 2, 2), 7, np.uint8)
    images[..., 1] = np.arange(12).reshape(3, 2, 2)
    mean, std = normalize.standardize([images], 2)
    assert (mean[0], std[0]) == (7.0, 1.0)
    assert std[1] == pytest.approx(np.arange(12).std(), abs=1e-4)


@pytest.mark.parametrize(("method", "divisor"), [("unit", 255.0), ("none", 1.0)])
def test_the_other_methods_look_at_no_pixel(method, divisor):
    assert normalize.METHODS[method](iter([]), 3) == ([0.0, 0.0, 0.0], [divisor] * 3)
