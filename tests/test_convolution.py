"""The drawn convolution and pooling are those of Keras."""

import keras
import numpy as np
import pytest

from stages.figures import canvas, convolution


def image(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize("kernel", convolution.FILTERS.values(), ids=convolution.FILTERS)
def test_a_convolution_is_that_of_keras_with_relu(kernel):
    pixels = image(9, 7).astype(np.float32)
    expected = keras.ops.relu(
        keras.ops.conv(pixels[None, :, :, None], kernel.astype(np.float32)[:, :, None, None], padding="valid")
    )
    np.testing.assert_allclose(convolution.convolve(pixels, kernel), expected[0, :, :, 0])


def test_a_filter_that_is_not_symmetric_is_not_turned_round():
    pixels, kernel = np.arange(9.0).reshape(3, 3), np.array([[0, 1], [0, 0]])
    assert convolution.convolve(pixels, kernel).tolist() == [[1, 2], [4, 5]]


@pytest.mark.parametrize("shape", [(6, 8), (7, 5)])
def test_a_pooling_is_that_of_keras(shape):
    pixels = image(*shape).astype(np.float32)
    expected = keras.ops.max_pool(pixels[None, :, :, None], 2)
    np.testing.assert_array_equal(convolution.max_pool(pixels), expected[0, :, :, 0])


def test_each_filter_answers_only_to_lines_of_its_own_direction():
    upright = np.tile([0.0, 0, 255, 0, 0, 0], (6, 1))
    vertical, horizontal = convolution.FILTERS.values()
    for lines, own, other in ((upright, vertical, horizontal), (upright.T, horizontal, vertical)):
        assert convolution.convolve(lines, own).max() == 6 * 255
        assert convolution.convolve(lines, other).max() == 0


@pytest.mark.parametrize(("channels", "expected"), [(1, 200), (3, 76), (4, 50)])
def test_grey_is_the_luma_of_three_channels_else_the_mean(channels, expected):
    pixels = np.zeros((4, 4, channels), np.uint8)
    pixels[..., 0] = 255 if channels == 3 else 200  # 0.299 of red
    assert np.all(convolution.grey(pixels) == expected)


def test_the_steps_are_side_by_side_with_their_sizes():
    figure = convolution.figure(image(28, 28, 1), "an $ant")
    assert [axes.get_title() for axes in figure.axes] == [
        "an \\$ant, in grey\n28 x 28",
        "Vertical lines\n3 x 3",
        "Convolution, ReLU\n26 x 26",
        "Max-pooling 2 x 2\n13 x 13",
        "Horizontal lines\n3 x 3",
        "Convolution, ReLU\n26 x 26",
        "Max-pooling 2 x 2\n13 x 13",
    ]
    assert [text.get_text() for text in figure.axes[1].texts] == ["-1", "2", "-1"] * 3
    shown = [np.asarray(axes.get_images()[0].get_array()).shape for axes in figure.axes]
    assert shown == [(28, 28), (3, 3), (26, 26), (13, 13), (3, 3), (26, 26), (13, 13)]


@pytest.mark.filterwarnings("error")
def test_an_image_without_lines_becomes_black(tmp_path):
    figure = convolution.figure(np.full((4, 4, 3), 255, np.uint8), "ant")
    canvas.save(figure, tmp_path / "figure.png")
    assert figure.axes[2].get_images()[0].get_clim() == (0, 1)


def test_of_an_image_that_is_too_small_a_sentence_says_so():
    figure = convolution.figure(image(3, 9, 3), "ant")
    assert not figure.axes
    assert "Images of 3 x 9 pixels are too small" in figure.texts[0].get_text()


def test_equal_images_are_equal_files(tmp_path):
    for name in ("one.png", "other.png"):
        canvas.save(convolution.figure(image(8, 8, 3), "ant"), tmp_path / name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "other.png").read_bytes()
