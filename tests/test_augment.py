"""Every operation does to the pixels what it says, eagerly and inside tf.data alike."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stages.inputs import augment
from stages.inputs import draws as random_draws
from stages.running import errors

NO_STRENGTH: dict[str, dict[str, Any]] = {  # alternating_flip has none
    "flip_horizontal": {"probability": 0.0},
    "flip_vertical": {"probability": 0.0},
    "translate": {"pixels": 0},
    "rotate": {"degrees": 0.0},
    "cutout": {"size": 0, "fill": 128},
    "brightness": {"amount": 0.0},
    "contrast": {"amount": 0.0},
    "saturation": {"amount": 0.0},
}
STRONG: dict[str, dict[str, Any]] = {
    "alternating_flip": {},
    "flip_horizontal": {"probability": 0.5},
    "flip_vertical": {"probability": 0.5},
    "random_resized_crop": {"area": [0.35, 0.7], "ratio": [0.75, 1.3333]},
    "translate": {"pixels": 4},
    "rotate": {"degrees": 30.0},
    "cutout": {"size": 3, "fill": 128},
    "brightness": {"amount": 0.5},
    "contrast": {"amount": 0.5},
    "saturation": {"amount": 0.5},
}
LARGEST_DRAW = 1 - 2**-24
LAST_BITS = 1  # a graph may multiply in another order, so that a value is rounded the other way

few = settings(max_examples=25, deadline=None)
images_of_any_shape = st.tuples(
    st.integers(1, 4), st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3])
).flatmap(lambda shape: arrays(np.uint8, shape))
a_draw = st.integers(0, 2**24 - 1).map(lambda bits: bits / 2**24)


def random_images(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def run(name, options, images, draws):
    """The operation's images for hand-made draws, [B, draws]."""
    (operation,) = augment.parse([{name: options}])
    return operation(tf.constant(images), tf.constant(draws, tf.float32)).numpy()


def run_inside_a_map(operations, images, draws):
    """Run operations as the records stage does: in a graph that does not know the size of the batch."""
    batches = tf.data.Dataset.from_tensor_slices((images, draws)).batch(len(images))
    (batch,) = batches.map(lambda pixels, numbers: augment.apply(operations, pixels, numbers))
    return batch.numpy()


def assert_nearest_pixels(found, expected):
    """`found` is `expected` (float) rounded and clipped to 0..255."""
    assert np.max(np.abs(found - np.clip(expected, 0, 255))) <= 0.5 + 1e-3


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", augment.OPERATIONS)
def test_an_operation_keeps_shape_and_dtype_and_is_same_in_a_map(name, channels):
    operations = augment.parse([{name: STRONG[name]}])
    images = random_images(16, 9, 7, channels)
    draws = random_draws.uniform(0, 0, np.arange(16), operations[0].draws)
    eager = augment.apply(operations, tf.constant(images), tf.constant(draws)).numpy()
    assert eager.shape == images.shape
    assert eager.dtype == np.uint8
    assert (eager != images).any() or (name == "saturation" and channels == 1)
    np.testing.assert_allclose(run_inside_a_map(operations, images, draws), eager, atol=LAST_BITS)


@pytest.mark.parametrize("last", augment.OPERATIONS)
def test_an_operation_after_all_others_is_the_same_inside_a_map(last):
    names = [*(name for name in augment.OPERATIONS if name != last), last]
    operations = augment.parse([{name: STRONG[name]} for name in names])
    images = random_images(8, 8, 8, 3)
    draws = random_draws.uniform(1, 0, np.arange(8), sum(operation.draws for operation in operations))
    eager = augment.apply(operations, tf.constant(images), tf.constant(draws)).numpy()
    np.testing.assert_allclose(run_inside_a_map(operations, images, draws), eager, atol=3 * LAST_BITS)


@few
@pytest.mark.parametrize("name", NO_STRENGTH)
@given(images=images_of_any_shape, draw=a_draw)
def test_without_strength_an_operation_is_the_identity(name, images, draw):
    draws = np.full((len(images), augment.OPERATIONS[name].draws), draw)
    np.testing.assert_array_equal(run(name, NO_STRENGTH[name], images, draws), images)


@pytest.mark.parametrize("name", augment.OPERATIONS)
@pytest.mark.parametrize("draw", [0.0, LARGEST_DRAW])
def test_the_least_and_largest_draws_work_on_images_of_one_pixel(name, draw):
    images = random_images(2, 1, 1, 3)
    draws = np.full((2, augment.OPERATIONS[name].draws), draw)
    assert run(name, STRONG[name], images, draws).shape == images.shape


def test_alternating_flips_show_both_sides_in_each_pair_of_views():
    operations = augment.parse([{"translate": {"pixels": 0}}, {"alternating_flip": {}}])
    images, places = random_images(60, 4, 6, 3), np.arange(100, 160)

    def view(number):
        return augment.apply(
            operations, tf.constant(images), tf.constant(augment.draw(operations, 5, number, places))
        ).numpy()

    mirrored = images[:, :, ::-1]
    flipped = (view(0) == mirrored).all(axis=(1, 2, 3))
    assert 15 < flipped.sum() < 45
    for number in range(1, 5):
        odd = number % 2 == 1
        expected = np.where((flipped != odd)[:, None, None, None], mirrored, images)
        np.testing.assert_array_equal(view(number), expected)


def test_an_alternating_flip_does_not_change_other_draws():
    alone = augment.parse([{"translate": {"pixels": 2}}])
    both = augment.parse([{"translate": {"pixels": 2}}, {"alternating_flip": {}}])
    for view in (0, 1, 7):
        np.testing.assert_array_equal(
            augment.draw(both, 0, view, np.arange(9))[:, :2], augment.draw(alone, 0, view, np.arange(9))
        )


@few
@pytest.mark.parametrize(("name", "axis"), [("flip_horizontal", 2), ("flip_vertical", 1)])
@given(images=images_of_any_shape)
def test_a_flip_of_probability_1_mirrors(name, axis, images):
    draws = np.full((len(images), 1), LARGEST_DRAW)
    np.testing.assert_array_equal(run(name, {"probability": 1.0}, images, draws), np.flip(images, axis))


def test_a_flip_mirrors_images_whose_draw_is_below_probability():
    images = random_images(4, 3, 3, 1)
    flipped = run("flip_horizontal", {"probability": 0.5}, images, [[0.9], [0.1], [0.5], [0.4]])
    expected = [images[0], images[1][:, ::-1], images[2], images[3][:, ::-1]]
    np.testing.assert_array_equal(flipped, expected)


@few
@given(images=images_of_any_shape, pixels=st.integers(0, 5), down=a_draw, right=a_draw)
def test_translate_is_a_window_of_the_reflected_image(images, pixels, down, right):
    height, width = images.shape[1:3]
    padded = np.pad(images, [(0, 0), (pixels, pixels), (pixels, pixels), (0, 0)], mode="reflect")
    top, left = (2 * pixels - int(draw * (2 * pixels + 1)) for draw in (down, right))
    window = padded[:, top : top + height, left : left + width]
    found = run("translate", {"pixels": pixels}, images, [[down, right]] * len(images))
    np.testing.assert_array_equal(found, window)


def test_translate_moves_each_image_by_its_own_draws():
    images = np.zeros((2, 5, 5, 1), np.uint8)
    images[:, 2, 2] = 9
    moved = run("translate", {"pixels": 1}, images, [[0.0, 0.9], [0.5, 0.0]])
    assert [tuple(np.argwhere(image == 9)[0][:2]) for image in moved] == [(1, 3), (2, 1)]


@pytest.mark.parametrize("choices", [3, 5, 7, 9, 15, 17, 255])
def test_every_shift_of_translate_is_as_likely_as_any_other(choices):
    pixels = choices // 2
    images = np.zeros((choices, 1, 2 * choices, 1), np.uint8)
    images[:, 0, choices] = 9
    draws = [[0.5, (step + 0.5) / choices] for step in range(choices)]
    places = run("translate", {"pixels": pixels}, images, draws).argmax(axis=2).ravel()
    np.testing.assert_array_equal(places, choices + np.arange(-pixels, pixels + 1))


@few
@given(images=images_of_any_shape, size=st.integers(0, 12), row=a_draw, column=a_draw)
def test_cutout_paints_exactly_the_square_around_the_draw(images, size, row, column):
    expected = images.copy()
    height, width = images.shape[1:3]
    for y in range(height):
        for x in range(width):
            down = y - (int(row * height) - size // 2)
            right = x - (int(column * width) - size // 2)
            if 0 <= down < size and 0 <= right < size:
                expected[:, y, x] = 77
    found = run("cutout", {"size": size, "fill": 77}, images, [[row, column]] * len(images))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("degrees", "draw", "quarters"), [(180.0, 0.0, 2), (180.0, 0.25, 3), (180.0, 0.75, 1), (90.0, 0.0, 3)]
)
@pytest.mark.parametrize("side", [4, 5])
def test_rotate_by_quarter_turns_is_rot90(degrees, draw, quarters, side):
    images = random_images(2, side, side, 3)
    turned = run("rotate", {"degrees": degrees}, images, [[draw]] * 2)
    np.testing.assert_array_equal(turned, np.rot90(images, quarters, axes=(1, 2)))


def test_rotate_turns_oblong_images_about_their_centre():
    images = random_images(1, 4, 7, 1)
    np.testing.assert_array_equal(run("rotate", {"degrees": 180.0}, images, [[0.0]]), images[:, ::-1, ::-1])


def test_rotating_a_line_by_45_degrees_interpolates_a_diagonal():
    images = np.zeros((1, 9, 9, 1), np.uint8)
    images[:, 4] = 200
    beside = round(200 * (1 - np.sqrt(0.5)))
    expected = 200 * np.eye(9) + beside * (np.eye(9, k=1) + np.eye(9, k=-1))
    turned = run("rotate", {"degrees": 45.0}, images, [[0.0]])
    np.testing.assert_array_equal(turned[0, :, :, 0], expected)


@few
@given(images=images_of_any_shape, amount=st.floats(0, 1), draw=a_draw)
def test_brightness_adds_the_same_to_every_pixel(images, amount, draw):
    found = run("brightness", {"amount": amount}, images, [[draw]] * len(images))
    assert_nearest_pixels(found, images + (2 * draw - 1) * amount * 255)


@few
@given(images=images_of_any_shape, amount=st.floats(0, 1), draw=a_draw)
def test_contrast_scales_distances_from_image_and_channel_means(images, amount, draw):
    found = run("contrast", {"amount": amount}, images, [[draw]] * len(images))
    mean = images.mean(axis=(1, 2), keepdims=True)
    assert_nearest_pixels(found, mean + (images - mean) * (1 + (2 * draw - 1) * amount))


@few
@given(images=images_of_any_shape, amount=st.floats(0, 1), draw=a_draw)
def test_saturation_scales_the_distance_from_grey(images, amount, draw):
    found = run("saturation", {"amount": amount}, images, [[draw]] * len(images))
    if images.shape[-1] == 1:
        np.testing.assert_array_equal(found, images)
    else:
        grey = (images @ np.array([0.299, 0.587, 0.114]))[..., np.newaxis]
        assert_nearest_pixels(found, grey + (images - grey) * (1 + (2 * draw - 1) * amount))


def test_operations_run_in_the_listed_order():
    images = np.zeros((1, 1, 4, 1), np.uint8)
    paint: dict[str, Any] = {"cutout": {"size": 1, "fill": 9}}
    mirror: dict[str, Any] = {"flip_horizontal": {"probability": 1.0}}

    def row(listed, draws):
        operations = augment.parse(listed)
        return augment.apply(operations, tf.constant(images), tf.constant([draws])).numpy().ravel().tolist()

    assert row([paint, mirror], [0.0, 0.0, 0.5]) == [0, 0, 0, 9]
    assert row([mirror, paint], [0.5, 0.0, 0.0]) == [9, 0, 0, 0]


def test_each_operation_has_its_own_columns_of_the_draws():
    listed = [{name: STRONG[name]} for name in augment.OPERATIONS]
    operations = augment.parse(listed)
    images = random_images(6, 8, 8, 3)
    draws = random_draws.uniform(0, 0, np.arange(6), sum(operation.draws for operation in operations))
    expected, column = images, 0
    for name, operation in zip(augment.OPERATIONS, operations, strict=True):
        expected = run(name, STRONG[name], expected, draws[:, column : column + operation.draws])
        column += operation.draws
    found = augment.apply(operations, tf.constant(images), tf.constant(draws)).numpy()
    np.testing.assert_array_equal(found, expected)


def test_no_operations_leave_the_images_unchanged():
    images = random_images(3, 2, 2, 1)
    np.testing.assert_array_equal(augment.apply([], tf.constant(images), tf.zeros([3, 0])), images)


@pytest.mark.parametrize(
    ("listed", "message"),
    [
        ([{"flip_horizontaly": {"probability": 0.5}}], "Did you mean 'flip_horizontal'?"),
        ([{"mixup": {}}], "expected one of: alternating_flip, flip_horizontal, flip_vertical"),
        ([{"translate": {"pixel": 4}}], "Did you mean 'pixels'?"),
        (
            [{"translate": {"pixels": -1}}],
            "translate.pixels: expected greater than or equal to 0, received -1",
        ),
        ([{"translate": {"pixels": 1.5}}], "translate.pixels: expected a valid integer"),
        ([{"cutout": {"size": 4, "fill": 256}}], "cutout.fill: expected less than or equal to 255"),
        ([{"flip_vertical": {"probability": 1.5}}], "flip_vertical.probability: expected less than or equal"),
        ([{"rotate": {"degrees": 181.0}}], "rotate.degrees: expected less than or equal to 180"),
        ([{"contrast": None}], "contrast.amount is missing"),
        ([{"contrast": {"amount": 0.1}, "rotate": {"degrees": 1.0}}], "expected one operation, received"),
    ],
)
def test_what_is_wrong_with_a_list_of_operations_is_named(listed, message):
    with pytest.raises(errors.BadInput) as raised:
        augment.parse([{"brightness": {"amount": 0.1}}, *listed])
    assert message in str(raised.value)


@pytest.mark.parametrize("wrong", [{"translate": {"pixel": 4}}, {"translate": {"pixels": -1}}, {}])
def test_the_place_in_the_list_of_a_wrong_operation_is_named(wrong):
    with pytest.raises(errors.BadInput, match="item 2"):
        augment.parse([{"brightness": {"amount": 0.1}}, wrong])
