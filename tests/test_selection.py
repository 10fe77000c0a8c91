"""Which of two epochs is better by more than chance explains."""

import numpy as np
import pytest
from sklearn import metrics

from stages.training import selection


def judged(right, losses=None, labels=None):
    right = np.array(right, np.int32)
    losses = np.zeros(len(right)) if losses is None else losses
    labels = np.zeros(len(right), np.int32) if labels is None else labels
    return selection.Judged(np.array(labels, np.int32), right, np.array(losses, np.float32))


def test_scores_have_the_measure_as_their_mean():
    draws = np.random.default_rng(0)
    labels, predicted = draws.choice(4, 200, p=[0.6, 0, 0.3, 0.1]), draws.integers(0, 4, 200)
    one = judged(labels == predicted, draws.random(200), labels)
    assert selection.scores("accuracy", one).mean() == pytest.approx(
        metrics.accuracy_score(labels, predicted)
    )
    recalls = metrics.recall_score(labels, predicted, average=None, labels=[0, 2, 3])
    assert selection.scores("balanced_accuracy", one).mean() == pytest.approx(recalls.mean())
    assert selection.scores("loss", one).mean() == pytest.approx(-one.losses.mean())


@pytest.mark.parametrize(
    ("more", "images", "expected"),
    [
        (0, 10, False),
        (1, 10, False),
        (3, 10, False),
        (6, 10, True),
        (1, 1, False),
        (2, 2, True),
        (1, 1000, False),
    ],
)
def test_so_many_more_right_images_are_beyond_chance(more, images, expected):
    assert selection.is_beyond_chance(np.arange(images) < more) is expected


def test_what_is_fixed_and_broken_weighs_against_each_other():
    moved = np.repeat([1.0, -1.0, 0.0], [30, 20, 700])
    assert not selection.is_beyond_chance(moved)
    assert selection.is_beyond_chance(np.repeat([1.0, -1.0, 0.0], [30, 10, 700]))
    assert not selection.is_beyond_chance(-moved)


def test_at_equal_accuracy_a_loss_decides_that_chance_does_not_explain():
    losses = np.linspace(0.1, 0.5, 20)
    best, last = judged([True] * 20, losses), judged([True] * 20, losses + np.linspace(0.1, 0.2, 20))
    assert selection.is_better("accuracy", best, last)
    one_outlier = losses + np.eye(20)[0]
    assert not selection.is_better("accuracy", best, judged([True] * 20, one_outlier))


def test_a_small_class_can_decide_by_the_balanced_accuracy():
    labels = [0] * 400 + [1] * 20
    best, last = [True] * 420, [True] * 400 + [False] * 12 + [True] * 8
    gained = judged(best, labels=labels), judged(last, labels=labels)
    assert selection.is_better("balanced_accuracy", *gained)
    few = judged(best, labels=labels), judged([True] * 419 + [False], labels=labels)
    assert not selection.is_better("balanced_accuracy", *few)
