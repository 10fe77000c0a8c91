"""Learning curves cross where straight lines between epochs do, and say so."""

import itertools

import numpy as np
import pandas as pd
import pytest
from matplotlib.legend import Legend

from stages.figures import canvas, learning_curves

HISTORY = pd.DataFrame(
    {
        "epoch": [1, 2, 3],
        "learning_rate": [0.1, 0.1, 0.1],
        "loss": [3.0, 2.0, 1.0],
        "accuracy": [0.2, 0.4, 0.6],
        "val_loss": [2.5, 1.5, 1.7],
        "val_accuracy": [0.1, 0.3, 0.2],
    }
)
MORE = HISTORY.assign(
    above_half_precision=0.9, val_above_half_precision=0.8, above_half_recall=0.7, val_above_half_recall=0.6
)


def lines(axes):
    return {
        line.get_label(): (np.asarray(line.get_xdata()).tolist(), np.asarray(line.get_ydata()).tolist())
        for line in axes.lines
    }


@pytest.mark.parametrize(
    ("training", "validation", "expected"),
    [
        ([3, 1], [2, 2], (1.5, 2.0)),
        ([3, 0], [2, 3], (1.25, 2.25)),
        ([0, 2, 0, 2], [1, 1, 1, 1], (3.5, 1.0)),  # the last of three
        ([0, 1, 2], [1, 1, 1], (2.0, 1.0)),  # at an epoch
        ([0, 1, 1, 2], [1, 1, 1, 1], (2.0, 1.0)),  # they stay together for an epoch
        ([0, 1, 0], [1, 1, 1], None),  # they meet, and part as they came
        ([0, 1], [1, 1], None),  # they only meet
        ([0, 0], [0, 0], None),
        ([1, 2], [3, 4], None),
        ([1], [3], None),
    ],
)
def test_the_last_crossing_is_found_between_epochs(training, validation, expected):
    epochs = np.arange(1, len(training) + 1)
    found = learning_curves.last_crossing(epochs, np.array(training, float), np.array(validation, float))
    assert found == (expected if expected is None else pytest.approx(expected))
    swapped = learning_curves.last_crossing(epochs, np.array(validation, float), np.array(training, float))
    assert swapped == (expected if expected is None else pytest.approx(expected))


def test_training_and_validation_are_drawn_by_epoch():
    loss, accuracy = learning_curves.figure(HISTORY).axes
    epochs = [1, 2, 3]
    assert lines(loss)["training"] == (epochs, [3.0, 2.0, 1.0])
    assert lines(loss)["validation"] == (epochs, [2.5, 1.5, 1.7])
    assert lines(accuracy)["training"] == (epochs, [0.2, 0.4, 0.6])
    assert lines(accuracy)["validation"] == (epochs, [0.1, 0.3, 0.2])
    assert [axes.get_xlabel() for axes in (loss, accuracy)] == ["epoch", "epoch"]
    assert [axes.get_ylabel() for axes in (loss, accuracy)] == ["loss", "accuracy"]


def test_only_curves_that_cross_show_a_crossing_and_its_numbers():
    loss, accuracy = learning_curves.figure(HISTORY).axes
    (crossing,) = [numbers for label, numbers in lines(loss).items() if "cross" in label]
    assert crossing[0] == pytest.approx([2 + 0.5 / 1.2] * 2)
    assert [text.get_text() for text in loss.texts] == ["epoch 2.4\n1.583"]
    assert not [label for label in lines(accuracy) if "cross" in label] and not accuracy.texts


def test_the_best_validation_is_marked_and_told():
    loss, accuracy = learning_curves.figure(HISTORY).axes
    assert lines(loss)["best validation"] == ([2], [1.5])
    assert lines(accuracy)["best validation"] == ([2], [0.3])
    assert loss.get_title() == "Loss\nbest validation: 1.5 at epoch 2"
    assert accuracy.get_title() == "Accuracy\nbest validation: 0.3 at epoch 2"


def test_of_equal_accuracies_that_of_the_lowest_loss_is_marked():
    tied = HISTORY.assign(val_accuracy=[0.3, 0.3, 0.3])
    _, accuracy = learning_curves.figure(tied).axes
    assert lines(accuracy)["best validation"] == ([2], [0.3])  # whose weights are kept


def test_one_legend_names_every_kind_of_line_once():
    (legend,) = learning_curves.figure(MORE).findobj(Legend)
    assert [text.get_text() for text in legend.get_texts()] == [
        "training",
        "validation",
        "best validation",
        "the two cross (last time)",
    ]


def test_precision_and_recall_are_drawn_if_there_are_columns():
    titles = [axes.get_title().split("\n")[0] for axes in learning_curves.figure(MORE).axes]
    assert titles == ["Loss", "Accuracy", "Precision above half", "Recall above half"]
    less = MORE.drop(columns=["above_half_precision", "val_above_half_precision"])
    *_, recall, blank = learning_curves.figure(less).axes
    assert recall.get_title().startswith("Recall") and not blank.axison


def test_without_validation_only_training_is_drawn():
    for axes in learning_curves.figure(HISTORY.drop(columns=["val_loss", "val_accuracy"])).axes:
        assert list(lines(axes)) == ["training"] and "\n" not in axes.get_title()


def test_one_epoch_can_be_drawn(tmp_path):
    figure = learning_curves.figure(HISTORY[:1])
    canvas.save(figure, tmp_path / "figure.png")
    (tick,) = [tick for tick in figure.axes[0].get_xticks() if 0.9 < tick < 1.1]
    assert tick == 1


@pytest.mark.parametrize("rows", [slice(None), slice(None, None, -1)])
def test_the_numbers_of_the_crossing_do_not_cover_the_curves(rows, tmp_path):
    history = MORE.assign(**{name: MORE[name][rows].to_numpy() for name in ("loss", "val_loss")})
    figure = learning_curves.figure(history)
    canvas.save(figure, tmp_path / "figure.png")
    loss = figure.axes[0]
    box = loss.texts[0].get_window_extent()
    for line in loss.lines[:2]:
        points = np.column_stack([np.asarray(line.get_xdata()), np.asarray(line.get_ydata())])
        between = np.concatenate([np.linspace(*pair, 50) for pair in itertools.pairwise(points)])
        assert not any(box.contains(*point) for point in loss.transData.transform(between))


def test_equal_histories_are_equal_files(tmp_path):
    for name in ("one.png", "other.png"):
        canvas.save(learning_curves.figure(MORE), tmp_path / name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "other.png").read_bytes()
