"""Figures show what they are given; read from their axes and texts, not from pixels."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from stages.reporting import figures

TEN = [f"class {number}" for number in range(10)]


def random_images(count, channels):
    return np.random.default_rng(0).integers(0, 256, (count, 6, 7, channels), np.uint8)


def shown(axes):
    """The pixels an axes displays."""
    return axes.get_images()[0].get_array()


def ticks(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


@pytest.mark.parametrize("channels", [1, 3])
def test_training_images_stand_in_labelled_rows_under_their_class_names(tmp_path, channels):
    plain, turned = random_images(4, channels), random_images(4, channels)[:, ::-1]
    names = ["ant", "bee", "ant", "cat"]
    figure = figures.training_images({"plain": plain, "view 0": turned}, names)
    figures.save(figure, tmp_path / "figure.png")
    (axes,) = figure.axes
    assert (ticks(axes.xaxis), ticks(axes.yaxis)) == (names, ["plain", "view 0"])
    for row, y in zip((plain, turned), axes.get_yticks(), strict=True):
        for image, x in zip(row, axes.get_xticks(), strict=True):
            enlarged = image.squeeze().repeat(5, axis=0).repeat(5, axis=1)  # to 32 pixels or more
            top, left = round(y + 0.5 - 30 / 2), round(x + 0.5 - 35 / 2)
            found = [
                np.array_equal(shown(axes)[top + i : top + i + 30, left + j : left + j + 35], enlarged)
                for i in (-1, 0, 1)
                for j in (-1, 0, 1)
            ]
            assert any(found), "expected the image around where its ticks meet"


def test_a_white_gap_parts_training_images():
    images = np.zeros((2, 32, 32, 3), np.uint8)
    (axes,) = figures.training_images({"plain": images}, ["ant", "bee"]).axes
    assert (shown(axes)[:, 32:34] == 255).all() and not shown(axes)[:, [31, 34]].any()


def test_the_title_speaks_of_views_where_there_are_some():
    images = random_images(1, 3)
    alone = figures.training_images({"plain": images}, ["ant"]).get_suptitle()
    beside = figures.training_images({"plain": images, "view 0": images}, ["ant"]).get_suptitle()
    assert ("views" in alone, "views" in beside) == (False, True)


def test_grey_images_span_black_to_white_whatever_their_range():
    images = np.full((1, 2, 2, 1), 100, np.uint8)
    (axes,) = figures.training_images({"plain": images}, ["ant"]).axes
    (image,) = axes.get_images()
    assert (image.get_clim(), image.get_cmap().name) == ((0, 255), "gray")


def test_a_confusion_matrix_shows_counts_and_the_shares_of_each_actual_class():
    counts, shares = figures.confusion_matrix(np.array([[3, 1], [0, 2]]), ["ant", "bee"]).axes
    assert [text.get_text() for text in counts.texts] == ["3", "1", "0", "2"]
    assert [text.get_text() for text in shares.texts] == ["0.75", "0.25", "0.00", "1.00"]
    assert (counts.get_title(), shares.get_title()) == ("Images", "Share of the actual class")
    for axes in (counts, shares):
        assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "actual")
        assert ticks(axes.xaxis) == ticks(axes.yaxis) == ["ant", "bee"]


def test_an_actual_class_without_images_has_shares_of_0():
    _, shares = figures.confusion_matrix(np.array([[2, 0], [0, 0]]), ["ant", "bee"]).axes
    assert [text.get_text() for text in shares.texts] == ["1.00", "0.00", "0.00", "0.00"]


def test_a_confusion_matrix_of_ten_classes_names_them_all():
    for axes in figures.confusion_matrix(np.full((10, 10), 1000), TEN).axes:
        assert ticks(axes.xaxis) == ticks(axes.yaxis) == TEN
        assert len(axes.texts) == 100


@pytest.mark.parametrize(("classes", "every"), [(100, 1), (250, 3)])
def test_names_at_a_large_confusion_matrix_do_not_overlap(tmp_path, classes, every):
    names = [f"a class with a long name, {number}" for number in range(classes)]
    figure = figures.confusion_matrix(np.eye(classes, dtype=int), names)
    figures.save(figure, tmp_path / "figure.png")
    for axes in figure.axes[:2]:
        assert not axes.texts
        labels = axes.yaxis.get_ticklabels()
        assert len(labels) == len(ticks(axes.xaxis)) == -(-classes // every)
        tops, bottoms = zip(*(label.get_window_extent().intervaly for label in labels), strict=True)
        assert all(top >= bottom for top, bottom in zip(tops, bottoms[1:], strict=False))


@pytest.mark.parametrize(
    ("name", "shown"), [("ant", "ant"), ("ninechars", "ninechars"), ("more than nine", "more…nine")]
)
def test_the_middle_of_a_long_name_is_left_out(name, shown):
    assert figures.brief(name, 9) == shown


def test_a_note_says_what_it_is_given_within_the_picture(tmp_path):
    figure = figures.note("Nothing costs $5 here. " * 8)
    figures.save(figure, tmp_path / "figure.png")
    (text,) = figure.texts
    assert figure.bbox.contains(*text.get_window_extent().min) and "$5" in text.get_text().replace("\\", "")


@pytest.mark.parametrize("channels", [1, 3])
def test_predictions_are_green_where_right_and_red_where_wrong(channels):
    images = random_images(2, channels)
    figure = figures.predictions(images, ["ant", "bee"], ["ant", "cat"], [0.876, 0.5])
    right, wrong = figure.axes
    assert right.get_title() == "ant\n88%"
    assert wrong.get_title() == "cat 50%\nis bee"
    assert to_hex(right.title.get_color()) == figures.RIGHT
    assert to_hex(wrong.title.get_color()) == figures.WRONG
    for axes, image in zip(figure.axes, images, strict=True):
        np.testing.assert_array_equal(shown(axes), image.squeeze())


@pytest.mark.parametrize("count", [1, 5, 6, 7, 24])
def test_a_grid_of_predictions_shows_every_image_and_leaves_the_rest_blank(count):
    figure = figures.predictions(random_images(count, 3), ["ant"] * count, ["ant"] * count, [0.5] * count)
    filled = [axes for axes in figure.axes if axes.get_images()]
    blank = [axes for axes in figure.axes if not axes.get_images()]
    assert len(filled) == count
    assert len(blank) < 6
    assert all(axes.axison for axes in filled)
    assert not any(axes.axison for axes in blank)


def test_titles_of_predictions_do_not_overlap(tmp_path):
    names = ["automobile", "a class with a very long name indeed"] * 6
    figure = figures.predictions(random_images(12, 3), names, names[::-1], [1.0] * 12)
    figures.save(figure, tmp_path / "figure.png")
    boxes = [axes.title.get_window_extent() for axes in figure.axes]
    assert not any(one.overlaps(other) for i, one in enumerate(boxes) for other in boxes[:i])


def make_figures():
    images, names = random_images(3, 3), ["ant", "bee", "ant"]
    return [
        figures.training_images({"plain": images}, names),
        figures.confusion_matrix(np.array([[3, 1], [0, 2]]), ["ant", "bee"]),
        figures.note("nothing"),
        figures.predictions(images, names, names[::-1], [0.5, 0.6, 0.7]),
    ]


def test_equal_figures_are_equal_files_without_the_version_of_matplotlib(tmp_path):
    for figure, again in zip(make_figures(), make_figures(), strict=True):
        figures.save(figure, tmp_path / "figure.png")
        figures.save(again, tmp_path / "again.png")
        content = (tmp_path / "figure.png").read_bytes()
        assert content == (tmp_path / "again.png").read_bytes()
        assert content.startswith(b"\x89PNG")
        assert b"matplotlib" not in content.lower()


def test_class_names_with_dollar_signs_are_drawn_as_they_are(tmp_path):
    figures.save(figures.confusion_matrix(np.eye(2, dtype=int), [r"$\x$", "a$b"]), tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 0
