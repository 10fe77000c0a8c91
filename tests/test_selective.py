"""The confidence above which a precision holds is picked from images, and never by luck."""

from typing import Any

import numpy as np
import pytest

from stages.figures import canvas, risk_coverage
from stages.reporting import metrics, selective, wilson


def sure(count=2000, seed=0):
    """Images whose confidences are true."""
    generator = np.random.default_rng(seed)
    confidence = generator.uniform(0.4, 1, count)
    return confidence, generator.random(count) < confidence


@pytest.mark.parametrize("target", [0.7, 0.9, 0.97])
def test_the_precision_holds_above_the_threshold(target):
    confidence, right = sure()
    threshold = selective.threshold(confidence, right, target)
    assert threshold is not None
    found = selective.answered(confidence, right, threshold)
    assert found.interval[0] >= target
    assert found.share == found.images / 2000 == np.mean(confidence >= threshold)
    for other in confidence[confidence < threshold]:
        assert selective.answered(confidence, right, other).interval[0] < target


def test_the_lowest_threshold_that_holds_is_picked():
    confidence = np.repeat([0.9, 0.8, 0.7, 0.6], 100)
    right = np.concatenate([np.ones(300, bool), np.zeros(100, bool)])
    assert selective.threshold(confidence, right, 0.95) == 0.7


def test_images_of_one_confidence_are_answered_together():
    confidence, right = np.full(100, 0.8), np.arange(100) < 60
    assert selective.threshold(confidence, right, 0.9) is None
    assert selective.threshold(confidence, right, 0.4) == 0.8


@pytest.mark.parametrize("count", [0, 1, 20])
def test_few_images_show_no_high_precision(count):
    confidence, right = np.linspace(0.5, 1, count), np.ones(count, bool)
    threshold = selective.threshold(confidence, right, 0.99)
    assert threshold is None
    assert selective.answered(np.ones(5), np.ones(5, bool), threshold).images == 0


def test_lower_bounds_are_those_of_the_intervals():
    right, images = np.array([0, 1, 5, 99, 100]), np.array([1, 1, 9, 100, 100])
    expected = [wilson.interval(*pair)[0] for pair in zip(right.tolist(), images.tolist(), strict=True)]
    np.testing.assert_allclose(wilson.lower_bounds(right, images), expected, atol=1e-12)


def test_the_curve_ends_with_the_error_of_all():
    confidence, right = sure()
    share, wrong = selective.curve(confidence, right)
    assert (share[-1], wrong[-1]) == (1, pytest.approx(1 - right.mean()))
    assert wrong[200] < wrong[-1]


def test_metrics_of_no_answers_have_no_precision():
    confidence, right = sure()
    found = metrics.selective(0.99, None, selective.answered(confidence, right, None))
    assert found == {"target": 0.99, "answered": 0.0}
    some = metrics.selective(0.9, 0.8, selective.answered(confidence, right, 0.8))
    assert some["precision_low"] < some["precision"] < some["precision_high"] and some["threshold"] == 0.8


@pytest.mark.parametrize(("target", "threshold"), [(None, None), (0.9, None), (0.9, 0.8), (0.9, 1.0)])
def test_the_figure_shows_the_answers(tmp_path, target, threshold):
    confidence, right = sure()
    drawn = risk_coverage.figure(confidence, right, target, threshold)
    (axes,) = drawn.axes
    lines: Any = axes.lines
    share, wrong = lines[0].get_data()
    np.testing.assert_allclose([share[-1], wrong[-1]], [1, 1 - right.mean()])
    named = " ".join(text.get_text() for text in drawn.legends[0].get_texts())
    assert ("allowed by a precision of 0.9" in named) == (target is not None)
    assert ("confidence of at least 0.8" in named) == (threshold == 0.8)
    canvas.save(drawn, tmp_path / "figure.png")


def test_one_image_is_enough_for_a_figure(tmp_path):
    canvas.save(risk_coverage.figure(np.array([0.7]), np.array([True])), tmp_path / "figure.png")
