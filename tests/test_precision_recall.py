"""Precision-recall curves: the weakest classes by name, no text over another, and every probability kept."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from stages.explaining import predictions, probabilities
from stages.figures import canvas, precision_recall
from stages.reporting import averages


def figure(classes, count=300, names=None):
    generator = np.random.default_rng(0)
    labels = generator.integers(0, classes, count)
    scores = generator.dirichlet(np.ones(classes), count).astype(np.float32)
    measured = averages.measure(labels, scores).average_precision[:, 0]
    names = names or [f"class {label}" for label in range(classes)]
    return precision_recall.figure(labels, scores, measured, names), measured


def legend(drawn):
    return [text.get_text() for text in drawn.legends[0].get_texts()]


def test_few_classes_all_have_their_names_the_weakest_first():
    drawn, measured = figure(3)
    assert legend(drawn) == [f"class {label}: {measured[label]:.4f}" for label in np.argsort(measured)]


def test_of_many_classes_the_ten_weakest_have_names_and_the_others_are_grey():
    drawn, measured = figure(30)
    shown = legend(drawn)
    assert shown[:10] == [f"class {label}: {measured[label]:.4f}" for label in np.argsort(measured)[:10]]
    assert shown[10:] == ["the other 20"]
    lines = drawn.axes[0].get_lines()
    assert len(lines) == 30
    assert sum(line.get_color() == precision_recall.GREY for line in lines) == 20


def test_classes_without_images_have_no_line():
    labels, scores = np.array([0, 1, 0, 1]), np.full((4, 3), 1 / 3)
    drawn = precision_recall.figure(labels, scores, np.array([0.5, 0.5, np.nan]), ["a", "b", "c"])
    assert legend(drawn) == ["a: 0.5000", "b: 0.5000"]
    nothing = precision_recall.figure(labels * 0, scores, np.full(3, np.nan), ["a", "b", "c"])
    assert "all of one class" in nothing.texts[0].get_text()


@pytest.mark.parametrize("classes", [2, 10, 40])
def test_nothing_lies_over_something_else(tmp_path, classes):
    drawn, _ = figure(
        classes, names=[f"{label} is a very long name of a class $x$" for label in range(classes)]
    )
    canvas.save(drawn, tmp_path / "drawn.png")
    renderer = FigureCanvasAgg(drawn).get_renderer()
    box, axes = drawn.legends[0].get_window_extent(renderer), drawn.axes[0]
    assert box.y1 <= axes.get_tightbbox(renderer).y0
    assert box.x0 >= 0 and box.x1 <= drawn.bbox.x1 and box.y0 >= 0
    boxes = [text.get_window_extent(renderer) for text in drawn.legends[0].get_texts()]
    assert not any(one.overlaps(other) for place, one in enumerate(boxes) for other in boxes[:place])


def judged(paths=None):
    shares = np.random.default_rng(0).dirichlet(np.ones(3), 5).astype(np.float32)
    paths = None if paths is None else np.array(paths, object)
    return predictions.Predictions(shares, np.array([0, 1, 2, 0, 1]), np.array([9, 3, 5, 1, 7]), paths)


def test_every_probability_is_kept_exactly(tmp_path):
    given, classes = judged([f"a/{number}.png" for number in range(5)]), ["cat", "日本", "dog, or not"]
    probabilities.write(tmp_path / "one.parquet", given, classes)
    table = pd.read_parquet(tmp_path / "one.parquet")
    assert table.columns.tolist() == ["index", "path", *classes]
    np.testing.assert_array_equal(table[classes].to_numpy(), given.probabilities)
    assert table["index"].tolist() == given.positions.tolist()
    assert table["path"].tolist() == given.paths.tolist()
    probabilities.write(tmp_path / "other.parquet", given, classes)
    assert (tmp_path / "other.parquet").read_bytes() == (tmp_path / "one.parquet").read_bytes()


def test_a_class_may_have_the_name_of_a_column(tmp_path):
    probabilities.write(tmp_path / "one.parquet", judged(), ["index", "index_", "path"])
    table = pd.read_parquet(tmp_path / "one.parquet")
    assert table.columns.tolist() == ["index__", "index", "index_", "path"]
    assert table["index__"].tolist() == [9, 3, 5, 1, 7]
