"""The picture of two revisions shows what their files hold."""

import numpy as np
import pandas as pd
import pytest

from stages.figures import canvas
from stages.review import results, side_by_side


def revision(classes=("ant", "bee"), epochs=3):
    """Results in which all images but one are right: the first class taken for the second."""
    table = pd.DataFrame({"actual": [*classes, classes[0]], "predicted": [*classes, classes[1]]})
    epoch = np.arange(1, epochs + 1)
    history = pd.DataFrame({"epoch": epoch, "loss": 1 / epoch, "accuracy": epoch / 10, "val_loss": 2 / epoch})
    return results.Results({}, table, history, None, list(classes))


def test_each_revision_has_its_curves_and_its_counts():
    figure = side_by_side.draw({"base": revision(), "head": revision(epochs=5)})
    grid = np.array(figure.axes[:6]).reshape(3, 2)
    assert [axes.get_title() for axes in grid[0]] == ["base", "head"]
    assert [len(axes.lines) for axes in grid[0]] == [2, 2]
    assert [len(axes.lines) for axes in grid[1]] == [1, 1]
    assert grid[0, 1].lines[0].get_xdata().tolist() == [1, 2, 3, 4, 5]
    for axes in grid[2]:
        assert [text.get_text() for text in axes.texts] == ["1", "1", "0", "1"]
        assert [label.get_text() for label in axes.get_yticklabels()] == ["ant", "bee"]


def test_classes_keep_the_order_of_their_labels():
    found = revision(("wasp", "ant", "bee"))._replace(classes=["wasp", "bee", "ant", "fly"])
    figure = side_by_side.draw({"head": found})
    names = [label.get_text() for label in figure.axes[2].get_xticklabels()]
    assert names == ["wasp", "bee", "ant", "fly"]


def test_the_curves_of_both_have_equal_axes():
    figure = side_by_side.draw({"base": revision(epochs=2), "head": revision(epochs=9)})
    for row in (0, 2):
        left, right = figure.axes[row : row + 2]
        assert left.get_xlim() == right.get_xlim()
        assert left.get_ylim() == right.get_ylim()


@pytest.mark.parametrize("epochs", [{"base": 2, "head": 9}, {"base": 9, "head": 2}])
def test_no_curve_leaves_its_axes(epochs):
    figure = side_by_side.draw({name: revision(epochs=count) for name, count in epochs.items()})
    for axes in figure.axes[:4]:
        (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
        for line in axes.lines:
            x, y = np.transpose(line.get_xydata())
            assert left <= x.min() and x.max() <= right
            assert low <= y.min() and y.max() <= high


def test_what_is_missing_is_said():
    figure = side_by_side.draw({"head": revision()._replace(history=None, predictions=None)})
    said = [axes.texts[0].get_text() for axes in figure.axes]
    assert said == ["no history", "no history", "no predictions"]


@pytest.mark.filterwarnings("error")
def test_odd_names_and_many_classes_can_be_drawn(tmp_path):
    names = [f"${number}^" for number in range(40)]
    figure = side_by_side.draw({"base": revision(), "head": revision(names)})
    canvas.save(figure, tmp_path / "both.png")
    assert (tmp_path / "both.png").stat().st_size


def test_counts_are_in_the_order_of_the_labels():
    classes = ["wasp", "bee", "ant"]
    found = revision(("wasp", "bee"))._replace(classes=classes)  # one wasp of two is taken for a bee
    figure = side_by_side.draw({"head": found})
    texts = [text.get_text() for text in figure.axes[2].texts]
    assert texts == ["1", "1", "0", "0", "1", "0", "0", "0", "0"]


@pytest.mark.filterwarnings("error")
def test_titles_and_unknown_characters_are_drawn_as_text(tmp_path):
    figure = side_by_side.draw({"$x^$": revision(("\U0010fffd", "bee"))})
    assert not figure.axes[0].title.get_parse_math()
    assert figure.axes[2].get_xticklabels()[0].get_text() == "U+10FFFD"
    canvas.save(figure, tmp_path / "one.png")
