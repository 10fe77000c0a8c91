"""Filters as images: their colours, signs and number."""

import numpy as np
import pytest

from stages.figures import canvas, filters


def shown(figure):
    return figure.axes[0].get_images()[0]


def weights(*shape):
    return np.random.default_rng(0).normal(size=shape)


def test_three_channels_are_colours_around_grey():
    kernel = np.zeros((1, 2, 1, 3))
    kernel[0, 0, 0] = [4.0, -4.0, 2.0]
    picture = shown(filters.figure("conv", kernel)).get_array()
    np.testing.assert_allclose(picture[0, 0], [1.0, 0.0, 0.75])
    np.testing.assert_allclose(picture[-1, 0], 0.5)


@pytest.mark.parametrize("channels", [1, 2])
def test_signed_weights_of_other_channels_diverge_from_zero(channels):
    kernel = np.zeros((1, 2, 1, channels))
    kernel[0, 0, 0] = -3.0
    image = shown(filters.figure("conv", kernel))
    assert (image.get_clim(), image.get_cmap().name) == ((-1, 1), "RdBu")
    assert (image.get_array()[0, 0], image.get_array()[-1, 0]) == (-1, 0)


def test_weights_without_a_sign_are_grey():
    image = shown(filters.figure("conv", np.abs(weights(4, 3, 3, 1))))
    assert (image.get_clim(), image.get_cmap().name) == ((0, 1), "gray")


@pytest.mark.filterwarnings("error")
def test_a_filter_of_zeros_can_be_drawn():
    assert np.all(shown(filters.figure("conv", np.zeros((1, 3, 3, 1)))).get_array() == 0)


@pytest.mark.parametrize(("count", "title"), [(64, "64 filters"), (65, "The first 64 of 65 filters")])
def test_at_most_64_filters_are_shown(count, title):
    figure = filters.figure("conv$", weights(count, 32, 32, 1))
    assert figure.axes[0].get_title() == rf"{title} of conv\$" + "\n32 x 32 x 1; red below zero, blue above"
    assert shown(figure).get_array().shape == (8 * 34 - 2,) * 2


@pytest.mark.parametrize("count", [1, 10, 65])
def test_the_title_stays_within_the_picture(tmp_path, count):
    figure = filters.figure("a_convolution_with_a_long_name", weights(count, 3, 3, 3))
    canvas.save(figure, tmp_path / "figure.png")
    box = figure.axes[0].title.get_window_extent()
    assert box.x0 >= 0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1


def test_equal_filters_are_equal_files(tmp_path):
    for name in ("one.png", "other.png"):
        canvas.save(filters.figure("conv", weights(5, 3, 3, 3)), tmp_path / name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "other.png").read_bytes()
