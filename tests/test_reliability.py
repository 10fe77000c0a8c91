"""The diagram shows what it is given; read from its axes, not from pixels."""

from typing import Any

import numpy as np
import pytest

from stages.figures import canvas, reliability
from stages.reporting import calibration, wilson


def bins(count, images=600, classes=3):
    generator = np.random.default_rng(0)
    probabilities = generator.dirichlet(np.full(classes, 0.3), images)
    return calibration.bins(generator.integers(0, classes, images), probabilities, count)


def panels(found) -> list[Any]:
    return reliability.figure(found).axes


def drawn_points(axes: Any):
    """Confidence, accuracy and interval [lows, highs] of the points."""
    ((line, _, (segments,)),) = axes.containers[1:]
    ends = np.array(segments.get_segments())
    return *line.get_data(), ends[:, :, 1].T


@pytest.mark.parametrize("classes", [3, 10])
@pytest.mark.parametrize("count", [1, 2, 15, 100])
def test_accuracy_is_at_the_mean_confidence_with_its_interval(count, classes):
    found = bins(count, classes=classes)
    filled = found.images > 0
    upper, _ = panels(found)
    confidence, accuracy, ends = drawn_points(upper)
    np.testing.assert_allclose(confidence, (found.confidence / found.images.clip(1))[filled])
    np.testing.assert_allclose(accuracy, (found.right / found.images.clip(1))[filled])
    pairs = zip(found.right[filled].tolist(), found.images[filled].tolist(), strict=True)
    np.testing.assert_allclose(ends.T, [wilson.interval(*pair) for pair in pairs], atol=1e-9)
    assert upper.lines[0].get_xydata().tolist() == [[0, 0], [1, 1]]


def test_the_lower_panel_counts_the_images_of_every_bin():
    found = bins(15)
    _, lower = panels(found)
    assert [bar.get_height() for bar in lower.patches] == found.images.tolist()
    np.testing.assert_allclose([bar.get_x() for bar in lower.patches], np.arange(15) / 15)
    assert [text.get_text() for text in lower.texts] == [str(count or "") for count in found.images]
    assert not panels(bins(100))[1].texts


def test_the_title_has_the_calibration_error():
    found = bins(15)
    assert f"{calibration.error(found):.4f}" in panels(found)[0].get_title()


@pytest.mark.parametrize("right", [True, False])
def test_one_image_is_enough(tmp_path, right):
    found = calibration.bins(np.array([int(not right)]), np.array([[1.0, 0.0]]), 15)
    canvas.save(reliability.figure(found), tmp_path / "figure.png")
    _, accuracy, ends = drawn_points(panels(found)[0])
    assert accuracy.tolist() == [float(right)] and ends.min() >= 0 and ends.max() <= 1


def test_the_legend_covers_nothing(tmp_path):
    drawn: Any = reliability.figure(bins(15))
    canvas.save(drawn, tmp_path / "figure.png")
    (legend,) = drawn.legends
    assert not any(axes.get_window_extent().overlaps(legend.get_window_extent()) for axes in drawn.axes)


def test_equal_bins_are_equal_files(tmp_path):
    for name in ("once", "again"):
        canvas.save(reliability.figure(bins(15)), tmp_path / name)
    assert (tmp_path / "once").read_bytes() == (tmp_path / "again").read_bytes()
