"""The journey through a network: images, layers, probabilities in their places."""

import itertools

import numpy as np
import pytest
from matplotlib.colors import to_hex

from stages.figures import canvas, feature_maps

CLASSES = ["ant", "bee", "cat"]
GENERATOR = np.random.default_rng(0)
IMAGES = GENERATOR.integers(0, 256, (2, 8, 8, 3), np.uint8)
SHARES = np.array([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3]])
MAPS = GENERATOR.normal(size=(2, 32, 32, 4)).astype(np.float32)
UNITS = GENERATOR.normal(size=(2, 40)).astype(np.float32)


def grid(layers, images=IMAGES, actual=(0, 2), shares=SHARES, classes=CLASSES):
    figure = feature_maps.figure(images, list(actual), layers, shares, classes)
    return np.array(figure.axes, object).reshape(len(images), len(layers) + 2)


def shown(axes):
    return axes.get_images()[0].get_array()


def test_a_row_holds_the_image_every_layer_and_the_probabilities():
    axes = grid([("conv\n32 x 32 x 9", MAPS), ("dense\n40", UNITS)])
    assert [each.get_title() for each in axes[0]] == [
        "image",
        "conv\n32 x 32 x 9",
        "dense\n40",
        "probabilities",
    ]
    assert [each.get_ylabel() for each in axes[:, 0]] == ["ant", "cat"]
    for row, image in zip(axes, IMAGES, strict=True):
        np.testing.assert_array_equal(shown(row[0]), image)


def test_maps_are_in_a_grid_on_one_scale_per_channel():
    axes = grid([("conv", MAPS)])
    low, high = MAPS.min(axis=(0, 1, 2)), MAPS.max(axis=(0, 1, 2))
    expected = (MAPS - low) / (high - low)
    for row in range(2):
        picture = shown(axes[row, 1])
        np.testing.assert_allclose(picture[:32, :32], expected[row, ..., 0], rtol=1e-5)
        np.testing.assert_allclose(picture[:32, 34:], expected[row, ..., 1], rtol=1e-5)
        np.testing.assert_allclose(picture[34:, :32], expected[row, ..., 2], rtol=1e-5)


def test_units_are_in_strips_of_32():
    axes = grid([("dense", UNITS)])
    expected = (UNITS - UNITS.min()) / (UNITS.max() - UNITS.min())
    for row in range(2):
        picture = shown(axes[row, 1])
        assert picture.shape == (2, 32)
        np.testing.assert_allclose(picture.ravel()[:40].filled(), expected[row], rtol=1e-5)
        assert picture.mask.ravel()[40:].all()


@pytest.mark.filterwarnings("error")
def test_a_channel_that_is_the_same_everywhere_is_dark():
    axes = grid([("conv", np.full((2, 32, 32, 1), 5.0))])
    assert np.all(shown(axes[0, 1]) == 0)


def test_rows_of_units_are_drawn_as_they_are():
    axes = grid([("dense", GENERATOR.normal(size=(2, 5, 7)))])
    assert shown(axes[0, 1]).shape == (5, 7)


def test_the_actual_class_is_green_and_another_one_before_it_red():
    right, wrong = grid([])[:, -1]
    assert [text.get_text() for text in right.texts] == ["70% ant", "20% bee", "10% cat"]
    assert [text.get_text() for text in wrong.texts] == ["60% bee", "30% cat", "10% ant"]
    assert [to_hex(bar.get_facecolor()) for bar in right.patches] == [canvas.RIGHT, "#808080", "#808080"]
    assert [to_hex(bar.get_facecolor()) for bar in wrong.patches] == [canvas.WRONG, canvas.RIGHT, "#808080"]


def test_of_many_classes_the_five_likeliest_are_named():
    shares = np.linspace(1, 0, 20)[None] / 10
    axes = grid([], IMAGES[:1], [7], shares, [f"class {label}" for label in range(20)])
    assert [text.get_text().split(" ", 1)[1] for text in axes[0, -1].texts] == [
        f"class {label}" for label in range(5)
    ]


@pytest.mark.parametrize("count", [0, 1, 9])
def test_titles_and_names_stay_within_the_picture_and_apart(tmp_path, count):
    name = "a class with a very long $name indeed"
    layers = [("conv4_block6_3_conv\n14 x 14 x 1024", MAPS)] * count
    figure = feature_maps.figure(IMAGES, [0, 1], layers, SHARES[:, :2], [name, name[::-1]])
    canvas.save(figure, tmp_path / "figure.png")
    title = figure.texts[0].get_window_extent()
    boxes = [axes.title.get_window_extent() for axes in figure.axes[: count + 2]]
    for box in [title, *boxes]:
        assert box.x0 >= 0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1
    assert not any(one.overlaps(other) for one, other in itertools.pairwise(boxes))
    for axes in figure.axes[count + 1 :: count + 2]:
        assert all(text.get_window_extent().x1 <= axes.bbox.x1 for text in axes.texts)
    labels = [axes.yaxis.label.get_window_extent() for axes in figure.axes[:: count + 2]]
    assert not labels[0].overlaps(labels[1])


def test_equal_journeys_are_equal_files(tmp_path):
    for name in ("one.png", "other.png"):
        figure = feature_maps.figure(IMAGES, [0, 2], [("conv", MAPS), ("dense", UNITS)], SHARES, CLASSES)
        canvas.save(figure, tmp_path / name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "other.png").read_bytes()
