"""Class weights: a mean of 1 over the images, and one line for what fits no class."""

import numpy as np
import pytest

from stages import train
from stages.running import errors, paramfile
from stages.training import class_weights
from tests import tiny, training

CLASSES, IMAGES = ["ant", "bee", "cat"], [60, 30, 10]


def weights(wanted, images=IMAGES):
    """The weights of the classes, after the check of the params."""
    found = class_weights.by_label(checked(wanted), CLASSES, images)
    assert found is not None and found.dtype == np.float32
    return found


def checked(value):
    return paramfile.check(train.Params, training.PARAMS | {"class_weight": value}, "train").class_weight


def test_without_weights_there_are_none():
    assert class_weights.by_label(checked("none"), CLASSES, IMAGES) is None


def test_balanced_classes_weigh_the_same_together():
    found = weights("balanced")
    np.testing.assert_allclose(found * IMAGES, [100 / 3] * 3, rtol=1e-6)


def test_classes_that_are_alike_by_their_repeats_are_not_balanced_twice():
    np.testing.assert_array_equal(weights("balanced", [40, 40, 40]), [1, 1, 1])


def test_weights_by_name_keep_their_ratio_and_have_a_mean_of_1_over_the_images():
    found = weights({"cat": 4, "ant": 1, "bee": 0.5})
    np.testing.assert_allclose(found / found[0], [1, 0.5, 4], rtol=1e-6)
    assert found @ IMAGES == pytest.approx(100, rel=1e-6)


def test_the_largest_weights_are_finite():
    found = weights(dict.fromkeys(CLASSES, 1e308))
    np.testing.assert_allclose(found, [1, 1, 1])


def test_a_class_without_training_images_takes_no_weight_from_others():
    np.testing.assert_allclose(weights("balanced", [30, 0, 10]), [2 / 3, 0, 2])


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"ant": 1.0, "bee": 1.0, "cta": 2.0}, "train.class_weight: unknown class 'cta'.*Did you mean 'cat'"),
        ({"cat": 2.0}, "expected a weight of each of 3 classes, received none of ant, bee"),
    ],
)
def test_weights_of_other_classes_are_one_line(wanted, message):
    with pytest.raises(errors.BadInput, match=message) as caught:
        class_weights.by_label(wanted, CLASSES, IMAGES)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "value",
    [
        "equal",
        None,
        2,
        {},
        {"ant": 0},
        {"ant": -1.0},
        {"ant": "2"},
        {"ant": True},
        {0: 1.0},
        {"ant": 10**400},
        {"ant": float("nan")},
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_are_no_weights_is_one_line(value):
    with pytest.raises(errors.BadInput, match=r"train\.class_weight: expected none, balanced, or") as caught:
        checked(value)
    assert "\n" not in str(caught.value)


def test_the_stage_names_an_unknown_class_and_writes_nothing(tmp_path):
    records = tiny.build_records(tmp_path, tiny.subset(tmp_path / "arrays"))
    with pytest.raises(errors.BadInput, match="unknown class 'lihgt'"):
        training.run(records, tmp_path / "out", class_weight={"dark": 1.0, "lihgt": 2.0})
    assert not (tmp_path / "out").exists()
