"""What the report says of several trainings: a row of each side, their machines, how many more it takes."""

import numpy as np
import pandas as pd
import pytest

from stages.review import crossed, over_seeds, results, trainings
from stages.running import errors


def training(seed, right, images=100, environment=None, first=0):
    """A training that has the first of its test images right."""
    predicted = ["cat"] * right + ["dog"] * (images - right)
    table = pd.DataFrame({"index": np.arange(first, first + images), "actual": "cat", "predicted": predicted})
    table = table.assign(probability=0.9)
    metrics = {"accuracy": right / images, "images": images, "macro": {"f1": right / images}}
    found = results.Results(metrics, table, None, environment, ["cat", "dog"])
    return trainings.Training(seed, f"seed {seed}", found, table)


def change(head, seeds=1e-4, images=1e-5):
    """A difference that is not clear, of three trainings a side with these variances."""
    return crossed.Change(
        crossed.Side(3, 0.8, 0.01), crossed.Side(3, head, 0.01), -0.1, 0.1, p=0.5, seeds=seeds, images=images
    )


def test_each_side_is_one_row_with_mean_and_standard_deviation():
    text = over_seeds.table({"base": [training(0, 80), training(4, 90)], "head": [training(1, 70)]})
    assert "| base | 0, 4 | 2 | 85.00 % ± 7.07 | 80.00 % | 90.00 % |" in text
    assert "| head | 1 | 1 | 70.00 % | 70.00 % | 70.00 % |" in text


def test_single_trainings_have_no_table():
    assert over_seeds.table({"base": [training(0, 80)], "head": [training(0, 90)]}) == ""
    assert over_seeds.table({}) == ""


def test_machines_that_compute_in_other_ways_are_named():
    places = [{"processor": "A", "precision": each} for each in ("float32", "mixed_bfloat16")]
    same = {"base": [training(0, 80, environment=places[0]), training(1, 80, environment=places[0])]}
    assert "not all trained alike" not in over_seeds.table(same)
    other = {"base": [training(0, 80, environment=place) for place in places]}
    assert "not all trained alike" in over_seeds.table(other)
    assert "`A in float32`, `A in mixed_bfloat16`" in over_seeds.table(other)


def test_metrics_are_means_and_those_that_never_differ_are_left_out():
    text = over_seeds.metrics([training(0, 80), training(1, 90)], [training(0, 90), training(1, 90)])
    assert "| `accuracy` | 0.8500 ± 0.0707 | 0.9000 ± 0.0000 | +0.0500 |" in text
    assert "| `macro.f1` |" in text and "`images`" not in text


def test_about_how_many_more_seeds_would_settle_it():
    few, none = change(head=0.82), change(head=0.8001)
    needed = few.enough(0.02)
    assert needed > 4
    assert f"About {needed - 3} more seeds a side would settle a difference of 2.00 points." in (
        over_seeds.power(few)
    )
    assert "more than 100 seeds a side, or more test images" in over_seeds.power(none)
    assert "About one more seed a side" in over_seeds.power(change(head=0.8 + few.detectable(4) + 1e-9))


def test_other_test_images_within_a_side_are_refused():
    base = [training(0, 80), training(1, 80, first=5)]
    with pytest.raises(
        errors.BadInput, match=r"expected the test images of seed 0 .* of seed 1, received others"
    ):
        over_seeds.compared(base, base, None)


def test_other_test_images_of_the_other_side_are_compared_unpaired():
    base = [training(0, 80), training(1, 90)]
    head = [training(0, 80, first=50), training(1, 90, first=50)]
    _, reason = over_seeds.compared(base, head, None)
    assert reason == "the test images differ (base has 100, head 100, both 50)"


def test_a_single_test_image_is_refused():
    side = [training(0, 1, images=1), training(1, 1, images=1)]
    with pytest.raises(errors.BadInput, match="at least two test images"):
        over_seeds.compared(side, side, None)
