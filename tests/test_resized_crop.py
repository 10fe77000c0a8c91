"""Random resized crops: which part of an image they take, and that it is scaled to the image's size."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from stages.inputs import augment, draws, resized_crop
from stages.running import errors

LARGEST_DRAW = 1 - 2**-24


def crop(area=(0.35, 1.0), ratio=(0.75, 4 / 3)):
    return resized_crop.RandomResizedCrop(area=list(area), ratio=list(ratio))


def boxes(operation, numbers, sizes):
    return operation.boxes(tf.constant(numbers, tf.float32), tf.constant(sizes, tf.int32)).numpy()


def test_parts_have_the_shares_and_ratios_that_were_asked_for():
    numbers = draws.uniform(0, 0, np.arange(4000), 4)
    top, left, rows, columns = boxes(crop(), numbers, [[400, 400]] * 4000).T
    assert (top >= 0).all() and (top + rows <= 400).all()
    assert (left >= 0).all() and (left + columns <= 400).all()
    share, ratio = rows * columns / 400**2, columns / rows
    whole = (rows < 400) & (columns < 400)  # the others were cut
    rounding = 1 / rows.min()  # a side is rounded to whole pixels
    assert share[whole].min() >= 0.35 - 2 * rounding and ratio[whole].min() >= 0.75 * (1 - rounding)
    assert ratio[whole].max() <= 4 / 3 * (1 + rounding)
    assert abs(np.log(ratio[whole]).mean()) < 0.02 and share.max() > 0.95
    assert len(np.unique(top)) > 100 and len(np.unique(left)) > 100


@pytest.mark.parametrize("draw", [0.0, LARGEST_DRAW])
@pytest.mark.parametrize("size", [[1, 1], [1, 90], [300, 7]])
def test_the_least_and_largest_draws_stay_inside(draw, size):
    ((top, left, rows, columns),) = boxes(crop(ratio=(0.1, 10)), [[draw] * 4], [size])
    assert 0 <= top <= size[0] - rows and 0 <= left <= size[1] - columns
    assert rows >= 1 and columns >= 1


def test_the_whole_of_a_square_stays_as_it_is():
    images = np.random.default_rng(0).integers(0, 256, (3, 12, 12, 3), np.uint8)
    numbers = draws.uniform(0, 0, np.arange(3), 4)
    found = augment.apply([crop((1, 1), (1, 1))], tf.constant(images), tf.constant(numbers))
    np.testing.assert_array_equal(found, images)


def resized(image, height, width):
    """A grey image scaled by Pillow, which rounds to whole levels after each of the two directions."""
    scaled = Image.fromarray(image[..., 0]).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(scaled, int)[..., None]


def test_an_image_becomes_its_part_scaled():
    images = np.random.default_rng(0).integers(0, 256, (5, 40, 30, 1), np.uint8)
    numbers = draws.uniform(0, 0, np.arange(5), 4)
    found = augment.apply([crop()], tf.constant(images), tf.constant(numbers)).numpy()
    for image, after, (top, left, rows, columns) in zip(
        images, found, boxes(crop(), numbers, [[40, 30]] * 5), strict=True
    ):
        part = image[top : top + rows, left : left + columns]
        assert np.abs(after - resized(part, 40, 30)).max() <= 1


@pytest.mark.parametrize("size", [(90, 50), (50, 90)])
def test_a_part_that_is_halved_is_antialiased(size):
    image = np.random.default_rng(0).integers(0, 256, (*size, 1), np.uint8)
    found = resized_crop.scaled(tf.constant(image), 26, 26).numpy()
    assert np.abs(found - resized(image, 26, 26)).max() <= 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"area": [0.0, 1.0], "ratio": [1.0, 1.0]}, r"area: expected \[smallest, largest\] share"),
        ({"area": [0.9, 0.5], "ratio": [1.0, 1.0]}, r"received \[0\.9, 0\.5\]"),
        ({"area": [0.5], "ratio": [1.0, 1.0]}, "area: expected"),
        ({"area": [0.5, 1.0], "ratio": [2.0, 1.0]}, r"ratio: expected \[smallest, largest\] width"),
    ],
)
def test_other_options_are_refused(options, message):
    with pytest.raises(errors.BadInput, match=message):
        augment.parse([{"random_resized_crop": options}])
