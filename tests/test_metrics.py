"""Metrics agree with hand-worked cases and with scikit-learn, scipy and the formulas they cite."""

import json

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import accuracy_score, f1_score, log_loss, precision_score, recall_score

from stages.reporting import metrics
from tests.six_images import ACTUAL, PROBABILITIES

CLASSES = ["ant", "bee", "cat"]

# Predicted of the six images: ant, ant, bee, cat, bee, ant. Right: the first, third and fourth.


@pytest.fixture
def found():
    return metrics.evaluate(ACTUAL, PROBABILITIES, CLASSES, calibration_bins=10)


@pytest.fixture
def by_class():
    return metrics.per_class(ACTUAL, PROBABILITIES.argmax(axis=1), CLASSES)


def one_hot(labels, classes=3):
    return np.eye(classes, dtype=np.float32)[labels]


def random_predictions(count=200, classes=4):
    generator = np.random.default_rng(0)
    return generator.integers(0, classes, count), generator.dirichlet(np.ones(classes), count)


def test_a_case_worked_by_hand(found):
    assert found["images"] == 6
    assert found["accuracy"] == 0.5
    assert found["top_2_accuracy"] == pytest.approx(5 / 6, abs=1e-4)
    assert found["macro"] == {"precision": 0.6111, "recall": 0.6111, "f1": 0.5}


def test_each_class_is_worked_by_hand(by_class):
    assert by_class == {
        "ant": {"precision": 0.3333, "recall": 1.0, "f1": 0.5, "support": 1},
        "bee": {"precision": 0.5, "recall": 0.5, "f1": 0.5, "support": 2},
        "cat": {"precision": 1.0, "recall": 0.3333, "f1": 0.5, "support": 3},
    }


def numbers_in(value):
    inner = value.values() if isinstance(value, dict) else []
    return sum(map(numbers_in, inner)) if inner else 1


def test_a_hundred_classes_have_as_many_metrics_as_two():
    counts = []
    for classes in (2, 100):
        labels = np.arange(200) % classes
        names = [str(label) for label in range(classes)]
        counts.append(numbers_in(metrics.evaluate(labels, one_hot(labels, classes), names, 15)))
    assert counts[0] == counts[1] < 15


def test_the_interval_is_that_of_wilson(found):
    z, n, p = stats.norm.ppf(0.975), 6, 0.5
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert found["accuracy_low"] == pytest.approx(centre - half, abs=1e-4)
    assert found["accuracy_high"] == pytest.approx(centre + half, abs=1e-4)


def test_the_loss_is_the_mean_of_the_negative_logarithms():
    expected = -np.mean(np.log([0.8, 0.3, 0.7, 0.6, 0.3]))
    found = metrics.evaluate(ACTUAL[:5], PROBABILITIES[:5], CLASSES, 10)
    assert found["loss"] == pytest.approx(expected, abs=1e-4)


def test_the_loss_of_an_impossible_class_is_finite(found):
    assert 87 / 6 < found["loss"] < 90 / 6 + 1


def test_above_half_is_worked_by_hand(found):
    # Above 0.5: right for the first, third and fourth image, wrong for the last two; none for the second.
    assert found["above_half"] == {"precision": 0.6, "recall": 0.5, "share": 0.8333}


def thresholded(classes, sharpness):
    actual, probabilities = random_predictions(classes=classes)
    sharpened = probabilities**sharpness
    return actual, (sharpened / sharpened.sum(axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("sharpness", [0.01, 1, 3])
@pytest.mark.parametrize("classes", [2, 4, 10])
def test_above_half_is_the_precision_and_recall_of_keras(classes, sharpness):
    actual, probabilities = thresholded(classes, sharpness)
    found = metrics.above_half(actual, probabilities)
    for name, metric in (("precision", keras.metrics.Precision()), ("recall", keras.metrics.Recall())):
        metric.update_state(one_hot(actual, classes), probabilities)
        assert found[name] == pytest.approx(float(metric.result()), abs=1e-6)


def test_exactly_one_half_is_not_above_it():
    found = metrics.above_half(np.array([0, 1]), np.full((2, 2), 0.5))
    assert found == {"precision": 0, "recall": 0, "share": 0}


def test_random_predictions_are_judged_as_by_scikit_learn():
    actual, probabilities = random_predictions()
    predicted = probabilities.argmax(axis=1)
    found = metrics.evaluate(actual, probabilities, list("abcd"), 15)
    assert found["accuracy"] == pytest.approx(accuracy_score(actual, predicted), abs=1e-4)
    assert found["loss"] == pytest.approx(log_loss(actual, probabilities), abs=1e-4)
    by_class = metrics.per_class(actual, predicted, list("abcd"))
    for name, score in [("precision", precision_score), ("recall", recall_score), ("f1", f1_score)]:
        assert found["macro"][name] == pytest.approx(score(actual, predicted, average="macro"), abs=1e-4)
        of_class = [by_class[each][name] for each in "abcd"]
        np.testing.assert_allclose(of_class, score(actual, predicted, average=None), atol=1e-4)
    ranked = np.argsort(-probabilities, axis=1)[:, :2]
    assert found["top_2_accuracy"] == pytest.approx(
        np.mean((ranked == actual[:, None]).any(axis=1)), abs=1e-4
    )


def test_all_right():
    found = metrics.evaluate(ACTUAL, one_hot(ACTUAL), CLASSES, 15)
    assert (found["accuracy"], found["accuracy_high"], found["top_2_accuracy"]) == (1.0, 1.0, 1.0)
    assert found["macro"] == {"precision": 1.0, "recall": 1.0, "f1": 1.0}
    assert (found["loss"], found["calibration_error"]) == (0.0, 0.0)


def test_all_wrong():
    found = metrics.evaluate(ACTUAL, one_hot((ACTUAL + 1) % 3), CLASSES, 15)
    assert (found["accuracy"], found["accuracy_low"]) == (0.0, 0.0)
    assert 0 < found["accuracy_high"] < 0.5
    assert found["macro"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0}


@pytest.mark.filterwarnings("error")
def test_a_class_that_is_never_predicted_has_precision_0():
    found = metrics.evaluate(ACTUAL, one_hot(np.zeros(6, int)), CLASSES, 15)
    of_cat = metrics.per_class(ACTUAL, np.zeros(6, int), CLASSES)["cat"]
    assert of_cat == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 3}
    assert found["macro"]["recall"] == pytest.approx(1 / 3, abs=1e-4)


@pytest.mark.filterwarnings("error")
def test_a_class_without_images_counts_in_the_averages():
    found = metrics.evaluate(np.array([0, 0, 1]), one_hot([0, 0, 1]), CLASSES, 15)
    assert metrics.per_class(np.array([0, 0, 1]), np.array([0, 0, 1]), CLASSES)["cat"]["support"] == 0
    assert found["macro"]["recall"] == pytest.approx(2 / 3, abs=1e-4)


def test_of_two_classes_one_of_the_best_two_is_always_right():
    found = metrics.evaluate(np.array([0, 1]), one_hot([1, 0], classes=2), ["no", "yes"], 15)
    assert found["top_2_accuracy"] == 1.0


@given(st.lists(st.tuples(*[st.integers(0, 2)] * 4), min_size=1, max_size=6))
def test_the_best_two_are_right_at_least_as_often_as_the_best(rows):
    actual = np.array([row[0] for row in rows])
    weights = np.array([row[1:] for row in rows]) + 1.0
    found = metrics.evaluate(actual, weights / weights.sum(axis=1, keepdims=True), CLASSES, 15)
    assert found["top_2_accuracy"] >= found["accuracy"]


def test_metrics_are_json_and_rounded(found, by_class):
    assert json.loads(json.dumps([found, by_class], allow_nan=False)) == [found, by_class]

    def floats(value):
        values = value.values() if isinstance(value, dict) else []
        return [value] if isinstance(value, float) else [each for inner in values for each in floats(inner)]

    values = floats(found) + floats(by_class)
    assert len(values) == 21
    assert all(value == round(value, 4) for value in values)
