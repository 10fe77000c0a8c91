"""Measures that count every class alike: those of scikit-learn, with intervals that repeat."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, balanced_accuracy_score, f1_score, roc_auc_score

from stages.reporting import averages, metrics, ranking, resampled
from tests.six_images import ACTUAL, PROBABILITIES


def predicted(count=300, classes=4, seed=0, strength=1.0, shares=None):
    """Labels, and probabilities that know something of them."""
    generator = np.random.default_rng(seed)
    labels = generator.choice(classes, count, p=shares)
    scores = generator.normal(size=(count, classes)) + strength * np.eye(classes)[labels]
    probabilities = np.exp(scores)
    return labels, (probabilities / probabilities.sum(axis=1, keepdims=True)).astype(np.float32)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.integers(2, 5), st.integers(1, 60), st.sampled_from([1, 2, 8]))
def test_ranking_is_that_of_scikit_learn_ties_and_weights_included(seed, classes, count, decimals):
    labels, probabilities = predicted(count, classes, seed)
    probabilities = probabilities.round(decimals)
    weights = np.random.default_rng(seed).integers(0, 4, (count, 3)).astype(np.float32)
    found = ranking.by_class(labels, probabilities, weights)
    for label in range(classes):
        is_own, scores = labels == label, probabilities[:, label]
        for column, used in enumerate(weights.T):
            if used[is_own].sum() == 0 or used[~is_own].sum() == 0:
                continue
            expected = (
                average_precision_score(is_own, scores, sample_weight=used),
                roc_auc_score(is_own, scores, sample_weight=used),
            )
            received = found.average_precision[label, column], found.roc_auc[label, column]
            assert received == pytest.approx(expected, abs=1e-6)


def test_the_measures_are_those_of_scikit_learn():
    labels, probabilities = predicted(shares=[0.6, 0.3, 0.08, 0.02])
    balanced, macro = metrics.over_classes(averages.measure(labels, probabilities))
    answers, one_hot = probabilities.argmax(axis=1), np.eye(4)[labels]
    assert balanced["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(labels, answers), abs=1e-4)
    assert macro["f1"] == pytest.approx(f1_score(labels, answers, average="macro"), abs=1e-4)
    expected = average_precision_score(one_hot, probabilities), roc_auc_score(one_hot, probabilities)
    assert (macro["average_precision"], macro["roc_auc"]) == pytest.approx(expected, abs=1e-4)
    assert macro["ranked_classes"] == 4
    for numbers, name in ((balanced, "balanced_accuracy"), *((macro, name) for name in list(macro)[1:10:3])):
        assert numbers[f"{name}_low"] < numbers[name] < numbers[f"{name}_high"]


def test_the_f1_beside_its_interval_is_the_one_that_was_there():
    before = metrics.evaluate(ACTUAL, PROBABILITIES, ["ant", "bee", "cat"], 10)["macro"]["f1"]
    assert metrics.over_classes(averages.measure(ACTUAL, PROBABILITIES))[1]["f1"] == before


def test_a_class_without_images_is_left_out_and_counted():
    labels, probabilities = predicted(classes=3)
    probabilities = np.hstack([probabilities, np.zeros((len(labels), 1), np.float32)])
    found = averages.measure(labels, probabilities)
    without = metrics.over_classes(averages.measure(labels, probabilities[:, :3]))
    balanced, macro = metrics.over_classes(found)
    assert macro["ranked_classes"] == 3
    assert balanced["balanced_accuracy"] == without[0]["balanced_accuracy"]
    assert macro["roc_auc"] == without[1]["roc_auc"]
    by_class = metrics.ranking_per_class(found, list("abcd"))
    assert by_class["d"] == {} and set(by_class["a"]) > {"average_precision", "roc_auc_low"}


def test_images_of_one_class_have_no_ranking():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = averages.measure(np.zeros(5, int), predicted(5, 2)[1])
        balanced, macro = metrics.over_classes(found)
    assert set(balanced) == {f"balanced_accuracy{bound}" for bound in ("", "_low", "_high")}
    assert macro["ranked_classes"] == 0 and "roc_auc" not in macro and "average_precision" not in macro


def test_equal_predictions_have_equal_intervals():
    labels, probabilities = predicted()
    one, other = (metrics.over_classes(averages.measure(labels, probabilities)) for _ in range(2))
    assert one == other


def test_a_draw_has_as_many_images_of_each_class_in_parts_or_not(monkeypatch):
    labels = predicted(shares=[0.6, 0.3, 0.08, 0.02])[0]
    monkeypatch.setattr(resampled, "AT_ONCE", 50 * len(labels))
    parts = list(resampled.weights(labels, 4))
    weights = np.hstack(parts)
    assert len(parts) == 20 and weights.shape == (300, 1 + resampled.MOST)
    assert (weights[:, 0] == 1).all()
    for label, images in enumerate(np.bincount(labels)):
        assert (weights[labels == label].sum(axis=0) == images).all()
    assert len({column.tobytes() for column in weights.T}) == 1 + resampled.MOST


def test_an_interval_is_as_wide_as_the_spread_over_other_test_images():
    sets = [predicted(400, 2, seed) for seed in range(100)]
    bounds = [metrics.over_classes(averages.measure(*each))[1] for each in sets[:8]]
    areas = [roc_auc_score(labels, probabilities[:, 1]) for labels, probabilities in sets]
    widths = np.mean([found["roc_auc_high"] - found["roc_auc_low"] for found in bounds])
    assert widths == pytest.approx(2 * 1.96 * np.std(areas), rel=0.3)


@pytest.mark.parametrize(
    ("images", "classes", "expected"), [(10_000, 100, 1000), (50_000, 1000, 200), (10_000, 400, 500)]
)
def test_the_work_is_bounded(images, classes, expected):
    assert resampled.draws(images, classes) == expected
