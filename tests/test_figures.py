"""Figures show what they are given; read from their axes and texts, not from pixels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.cbook import is_math_text
from matplotlib.colors import to_hex
from matplotlib.text import Text

from stages.figures import (
    canvas,
    confusion_matrix,
    convolution,
    examples,
    feature_maps,
    fonts,
    training_images,
)

ABC = ["ant", "bee", "cat"]
LABELS = [0, 1, 0, 2]
TEN = [f"class {number}" for number in range(10)]


def random_images(count, channels):
    return np.random.default_rng(0).integers(0, 256, (count, 6, 7, channels), np.uint8)


def shown(axes):
    """The pixels an axes displays."""
    return axes.get_images()[0].get_array()


def ticks(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


@pytest.mark.parametrize("channels", [1, 3])
def test_training_images_are_in_labelled_rows_under_class_names(tmp_path, channels):
    plain, turned = random_images(4, channels), random_images(4, channels)[:, ::-1]
    figure = training_images.figure({"plain": plain, "view 0": turned}, LABELS, ABC)
    canvas.save(figure, tmp_path / "figure.png")
    (axes,) = figure.axes
    assert (ticks(axes.xaxis), ticks(axes.yaxis)) == (["ant", "bee", "ant", "cat"], ["plain", "view 0"])
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
    (axes,) = training_images.figure({"plain": images}, [0, 1], ABC).axes
    assert (shown(axes)[:, 32:34] == 255).all() and not shown(axes)[:, [31, 34]].any()


def test_the_title_speaks_of_views_where_there_are_some():
    images = random_images(1, 3)
    alone = training_images.figure({"plain": images}, [0], ABC).get_suptitle()
    beside = training_images.figure({"plain": images, "view 0": images}, [0], ABC).get_suptitle()
    assert ("views" in alone, "views" in beside) == (False, True)


def test_grey_images_span_black_to_white_whatever_their_range():
    images = np.full((1, 2, 2, 1), 100, np.uint8)
    (axes,) = training_images.figure({"plain": images}, [0], ABC).axes
    (image,) = axes.get_images()
    assert (image.get_clim(), image.get_cmap().name) == ((0, 255), "gray")


def test_a_confusion_matrix_shows_counts_and_actual_class_shares():
    counts, shares = confusion_matrix.figure(np.array([[3, 1], [0, 2]]), ["ant", "bee"]).axes
    assert [text.get_text() for text in counts.texts] == ["3", "1", "0", "2"]
    assert [text.get_text() for text in shares.texts] == ["0.75", "0.25", "0.00", "1.00"]
    assert (counts.get_title(), shares.get_title()) == ("Images", "Share of the actual class")
    for axes in (counts, shares):
        assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "actual")
        assert ticks(axes.xaxis) == ticks(axes.yaxis) == ["ant", "bee"]


def test_an_actual_class_without_images_has_shares_of_0():
    _, shares = confusion_matrix.figure(np.array([[2, 0], [0, 0]]), ["ant", "bee"]).axes
    assert [text.get_text() for text in shares.texts] == ["1.00", "0.00", "0.00", "0.00"]


def test_a_confusion_matrix_of_ten_classes_names_them_all():
    for axes in confusion_matrix.figure(np.full((10, 10), 1000), TEN).axes:
        assert ticks(axes.xaxis) == ticks(axes.yaxis) == TEN
        assert len(axes.texts) == 100


@pytest.mark.parametrize(("classes", "every"), [(100, 1), (250, 3)])
def test_names_at_a_large_confusion_matrix_do_not_overlap(tmp_path, classes, every):
    names = [f"a class with a long name, {number}" for number in range(classes)]
    figure = confusion_matrix.figure(np.eye(classes, dtype=int), names)
    canvas.save(figure, tmp_path / "figure.png")
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
    assert canvas.names([name], 9) == [shown]


# Of the fonts that matplotlib brings none has the first, a cat, and only STIXGeneral has the second.
UNKNOWN, STIX = "\U0001f408", "\u214a"


@pytest.mark.usefixtures("own_fonts")
@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("猫", "U+732B"),
        ("黒猫 cat", "U+9ED2 U+732B  cat"),
        (UNKNOWN, "U+1F408"),
        ("a\nb\tc", "a U+000A b U+0009 c"),
        ("\u200e", "U+200E"),
        ("عربى", "عربى"),
        ("Ünïcödé Ж ω", "Ünïcödé Ж ω"),
    ],
)
def test_characters_without_a_glyph_are_code_points(name, shown):
    assert canvas.names([name], 30) == [shown]
    assert canvas.plain(name) == shown


ALIKE = [
    ["猫", "犬", "cat"],
    ["a" * 50 + "x" + "b" * 50, "a" * 50 + "y" + "b" * 50],
    ["猫", "U+732B"],
    ["a\nb", "a U+000A b"],
    ["é", "e\u0301"],
    ["ant", "ant ", " ant"],
    ["", " "],
    ["a" * 50, "a" * 51, "0: aaa", "1: aaa"],
    ["$" * 40 + "x" + "$" * 40, "$" * 81],
]


@pytest.mark.usefixtures("own_fonts")
@pytest.mark.parametrize("classes", ALIKE)
@pytest.mark.parametrize("length", [15, 24])
def test_no_two_names_look_alike(classes, length):
    shown = [" ".join(name.replace(r"\$", "$").split()) for name in canvas.names(classes, length)]
    assert len(set(shown)) == len(classes)
    assert max(map(len, shown)) <= length


def test_alike_names_are_numbered_by_their_labels():
    assert canvas.names(["ant", "ant ", "bee"], 15) == ["0: ant", "1: ant ", "2: bee"]


@given(st.lists(st.text(max_size=40), min_size=2, max_size=5, unique=True))
def test_any_names_are_told_apart(classes):
    shown = canvas.names(classes, 15)
    assert len(set(shown)) == len(classes)
    assert not any(map(is_math_text, shown))


@pytest.mark.usefixtures("own_fonts")
@pytest.mark.filterwarnings("error")  # matplotlib warns of a missing glyph
@pytest.mark.parametrize("name", ["猫", UNKNOWN, "\x07", "a\nb", STIX, "$x$", "عربى"])
def test_every_picture_draws_any_name(tmp_path, name):
    images, classes = random_images(2, 3), [name, "dog"]
    for figure in (
        training_images.figure({"plain": images}, [0, 1], classes),
        confusion_matrix.figure(np.eye(2, dtype=int), classes),
        examples.figure(images, [0, 1], [1, 0], [0.5, 0.6], classes, 2),
        canvas.note(name),
        convolution.figure(images[0], name),
        feature_maps.figure(images, [0, 1], [(f"{name}\n2", np.eye(2))], np.eye(2), classes),
    ):
        canvas.save(figure, tmp_path / "figure.png")


@pytest.mark.usefixtures("own_fonts")
def test_another_font_is_asked_for_what_the_first_lacks(tmp_path):
    figure = confusion_matrix.figure(np.eye(2, dtype=int), [STIX, "dog"])
    assert ticks(figure.axes[0].xaxis)[0] == STIX
    canvas.save(figure, tmp_path / "figure.png")
    families = figure.axes[0].xaxis.get_ticklabels()[0].get_fontfamily()
    assert families[0] == "DejaVu Sans" and len(families) == 2


def test_fonts_of_the_machine_do_not_touch_ordinary_names(tmp_path, monkeypatch):
    def digest():
        canvas.save(confusion_matrix.figure(np.eye(2, dtype=int), ["Ärger", "dog"]), tmp_path / "a.png")
        return (tmp_path / "a.png").read_bytes()

    before = digest()
    monkeypatch.setattr(fonts, "_installed", lambda: pytest.fail("looked for other fonts"))
    fonts.others.cache_clear()
    assert digest() == before


def test_a_font_file_that_is_gone_has_no_characters(tmp_path, monkeypatch):
    (tmp_path / "damaged.ttf").write_bytes(b"no font")
    places = [("A", str(tmp_path / "damaged.ttf"), 0), ("B", str(tmp_path / "gone.ttf"), 0)]
    monkeypatch.setattr(fonts, "_installed", lambda: places)
    fonts.others.cache_clear()
    assert fonts.others("a猫") == {}
    fonts.others.cache_clear()


def test_a_note_says_what_it_is_given_within_the_picture(tmp_path):
    figure = canvas.note("Nothing costs $5 here. " * 8)
    canvas.save(figure, tmp_path / "figure.png")
    (text,) = figure.texts
    assert figure.bbox.contains(*text.get_window_extent().min) and "$5" in text.get_text().replace("\\", "")


@pytest.mark.parametrize("channels", [1, 3])
def test_predictions_are_green_where_right_and_red_where_wrong(channels):
    images = random_images(2, channels)
    figure = examples.figure(images, [0, 1], [0, 2], [0.876, 0.5], ABC, 2)
    right, wrong = figure.axes
    assert right.get_title() == "ant\n88%"
    assert wrong.get_title() == "cat 50%\nis bee"
    assert to_hex(right.title.get_color()) == canvas.RIGHT
    assert to_hex(wrong.title.get_color()) == canvas.WRONG
    for axes, image in zip(figure.axes, images, strict=True):
        np.testing.assert_array_equal(shown(axes), image.squeeze())


@pytest.mark.parametrize("count", [1, 5, 6, 7, 24])
def test_a_prediction_grid_shows_every_image_and_blanks_the_rest(count):
    figure = examples.figure(random_images(count, 3), [0] * count, [0] * count, [0.5] * count, ABC, 1234)
    assert figure.get_suptitle().splitlines()[0] == f"{count} of 1,234 test images"
    filled = [axes for axes in figure.axes if axes.get_images()]
    blank = [axes for axes in figure.axes if not axes.get_images()]
    assert len(filled) == count
    assert len(blank) < 6
    assert all(axes.axison for axes in filled)
    assert not any(axes.axison for axes in blank)


@pytest.mark.parametrize("shape", [(16, 16, 3), (16, 8, 3), (8, 16, 3)])
@pytest.mark.parametrize("count", [7, 24])
@pytest.mark.parametrize("path", [None, "folder/IMG_20240131_123456.jpg"])
def test_titles_and_names_of_predictions_do_not_overlap(tmp_path, shape, count, path):
    labels, classes = [0, 1] * 60, ["automobile", "a class with a very long name indeed"]
    answers = labels[:count], labels[1 : count + 1], [1.0] * count
    paths = None if path is None else np.array([path] * count)
    figure = examples.figure(np.zeros((count, *shape), np.uint8), *answers, classes, 60, paths)
    figure.set_dpi(110)  # as it is saved
    canvas.save(figure, tmp_path / "figure.png")
    texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    boxes = [text.get_window_extent() for text in texts]
    assert not any(one.overlaps(other) for i, one in enumerate(boxes) for other in boxes[:i])


def make_figures():
    images, labels = random_images(3, 3), [0, 1, 0]
    return [
        training_images.figure({"plain": images}, labels, ABC),
        confusion_matrix.figure(np.array([[3, 1], [0, 2]]), ["ant", "bee"]),
        canvas.note("nothing"),
        examples.figure(images, labels, labels[::-1], [0.5, 0.6, 0.7], ABC, 3),
    ]


def test_equal_figures_are_equal_files_that_name_no_matplotlib(tmp_path):
    for figure, again in zip(make_figures(), make_figures(), strict=True):
        canvas.save(figure, tmp_path / "figure.png")
        canvas.save(again, tmp_path / "again.png")
        content = (tmp_path / "figure.png").read_bytes()
        assert content == (tmp_path / "again.png").read_bytes()
        assert content.startswith(b"\x89PNG")
        assert b"matplotlib" not in content.lower()


def test_class_names_with_dollar_signs_are_drawn_as_they_are(tmp_path):
    canvas.save(confusion_matrix.figure(np.eye(2, dtype=int), [r"$\x$", "a$b"]), tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 0
