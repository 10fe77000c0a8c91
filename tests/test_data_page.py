"""The page about the data draws any numbers and names, and no text hides another or is cut off."""

import json
import os

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from stages import subset
from stages.figures import canvas, data_page
from stages.running import paramfile
from tests import pictures
from tests.pictures import CLASSES, downloaded, write
from tests.subsets import CARVED, DEFAULTS, SPLITS

pytestmark = pytest.mark.usefixtures("own_fonts")
UNUSUAL = ["smallest", "darkest", "blurriest", "most unusual"]


def counts(classes, of_class=10) -> dict:
    return {split: dict.fromkeys(classes, of_class) for split in SPLITS}


def rows(titles, columns=8, name="") -> dict:
    image = np.zeros((data_page.SIDE, data_page.SIDE, 3), np.uint8)
    return {title: [(image, name)] * columns for title in titles}


def sizes(*pairs) -> tuple:
    return tuple(np.array(pairs).T)


def ticks(axis) -> list[str]:
    return [label.get_text() for label in axis.get_ticklabels()]


def drawn(tmp_path, *content) -> Figure:
    figure = data_page.figure(*content)
    figure.set_dpi(110)  # as it is saved, so that the places of texts are those in the file
    canvas.save(figure, tmp_path / "data.png")
    return figure


def texts(figure) -> list[Text]:
    """The texts that are seen; matplotlib has ticks beyond the ends of an axis, too."""
    beyond = set()
    for axis in [axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)]:
        low, high = sorted(axis.get_view_interval())
        for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
            if not low <= tick.get_loc() <= high:
                beyond |= {tick.label1, tick.label2}
    seen = [each for each in figure.findobj(Text) if each.get_visible() and each.get_text().strip()]
    return [each for each in seen if each not in beyond]


PAGES = {
    "usual": (
        counts(CLASSES),
        sizes((640, 480), (4000, 3000)),
        rows(UNUSUAL, 8, "cat/IMG_20240131_123456.JPG"),
    ),
    "published": (
        counts([f"class {i}" for i in range(10)]),
        None,
        rows([f"class {i}, a long name" for i in range(8)]),
    ),
    "wide letters": (
        counts(["W" * 40 + str(i) for i in range(60)]),
        sizes((1, 20000), (20000, 1)),
        rows(["W" * 20 + str(i) for i in range(8)], 8, "W" * 60),
    ),
    "no glyphs": (counts(["猫" * 9, "犬"]), sizes((10, 12)), rows(["猫" * 20, "犬"], 8, "猫" * 30 + ".png")),
    "formulas": (counts(["$a$", "$b"]), sizes((10, 12)), rows(["$x^2$"], 8, "$" * 30 + "_{2}.png")),
    "lines": (counts(["a\nb", "c\td"]), sizes((10, 12)), rows(["a\nb"], 8, "a\nb\rc.png")),
    "not utf-8": (counts(CLASSES), sizes((10, 12)), rows(UNUSUAL[:1], 8, os.fsdecode(b"caf\xe9.png"))),
    "folders": (counts(CLASSES), sizes((10, 12)), rows(UNUSUAL, 8, "M" * 40 + "/" + "M" * 40 + ".png")),
    "few": (counts(CLASSES, 1), sizes((12, 10), (12, 11)), rows(UNUSUAL[:1], 1, "a.png")),
    "one size": (counts(CLASSES), sizes((12, 12), (12, 12)), rows(UNUSUAL[1:])),
    "near sizes": (counts(CLASSES), sizes((1000, 1000), (1001, 1001)), rows(UNUSUAL)),
    "no rows": (counts(CLASSES), sizes((12, 10)), {}),
    "millions": (
        counts([f"n{i:08}" for i in range(1000)], 1300),
        sizes((9, 9), (12345, 54321)),
        rows(UNUSUAL),
    ),
}


@pytest.mark.filterwarnings("error")  # matplotlib warns of a missing glyph, and of a layout without room
@pytest.mark.parametrize("page", PAGES)
def test_no_text_is_cut_off_or_hides_another(tmp_path, page):
    figure = drawn(tmp_path, *PAGES[page])
    boxes = [(each.get_text(), each.get_window_extent()) for each in texts(figure)]
    assert len(boxes) > 5
    for number, (text, box) in enumerate(boxes):
        assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1, text
        assert figure.bbox.y0 <= box.y0 and box.y1 <= figure.bbox.y1, text
        assert not [other for other, another in boxes[:number] if box.overlaps(another)], text


def test_bars_are_the_images_of_each_class_by_split(tmp_path):
    found = {"train": {"cat": 5, "dog": 3}, "val": {"cat": 2, "dog": 0}, "test": {"cat": 1, "dog": 4}}
    axes = drawn(tmp_path, found, None, rows(CLASSES)).axes[0]
    assert ticks(axes.yaxis) == ["dog", "cat"]  # the largest on top
    for bars, (split, of_class) in zip(axes.containers, found.items(), strict=True):
        assert (bars.get_label(), [bar.get_width() for bar in bars]) == (
            split,
            [of_class["dog"], of_class["cat"]],
        )
    assert [bar.get_x() for bar in axes.containers[2]] == [3, 7]
    legend = axes.get_legend()
    assert legend is not None and [text.get_text() for text in legend.get_texts()] == SPLITS


def test_of_very_many_classes_the_smallest_are_drawn(tmp_path):
    found = {split: {f"class {i}": i for i in range(50)} for split in SPLITS}
    axes = drawn(tmp_path, found, None, rows(["a"])).axes[0]
    assert ticks(axes.yaxis) == [f"class {i}" for i in range(data_page.CLASSES)]
    assert axes.get_title() == "Images by class, without the 10 largest"


@pytest.mark.parametrize(
    ("pairs", "across", "down"),
    [
        ([(10, 20), (10_000, 20)], ["10", "100", "1,000", "10,000"], ["20"]),
        ([(12, 10), (13, 10), (12, 11)], ["12", "13"], ["10", "11"]),
    ],
)
def test_sizes_are_written_in_whole_pixels(tmp_path, pairs, across, down):
    axes = drawn(tmp_path, counts(CLASSES), sizes(*pairs), rows(["a"])).axes[1]
    assert (ticks(axes.xaxis), ticks(axes.yaxis)) == (across, down)
    (points,) = axes.collections
    assert np.asarray(points.get_offsets()).tolist() == [list(pair) for pair in pairs]
    for width, height in pairs:
        assert axes.get_xlim()[0] < width < axes.get_xlim()[1]
        assert axes.get_ylim()[0] < height < axes.get_ylim()[1]


def test_pictures_are_in_rows_above_their_names(tmp_path):
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (2, 3, data_page.SIDE, data_page.SIDE, 3), np.uint8)
    given = {
        title: [(image, f"folder/{title} {column}.png") for column, image in enumerate(images[line])]
        for line, title in enumerate(["one", "two"])
    }
    axes = drawn(tmp_path, counts(CLASSES), None, given).axes[1]
    assert ticks(axes.yaxis) == ["one", "two"]
    whole = np.asarray(axes.get_images()[0].get_array())
    named = iter(axes.texts)
    for line, (title, middle) in enumerate(zip(given, axes.get_yticks(), strict=True)):
        for column in range(3):
            text = next(named)
            assert text.get_text() == f"folder/\n{title} {column}.png"
            x, y = text.get_position()
            left, top = round(x - data_page.SIDE / 2), round(middle - data_page.SIDE / 2)
            shown = whole[top : top + data_page.SIDE, left : left + data_page.SIDE]
            assert np.array_equal(shown, images[line, column])
            assert top + data_page.SIDE <= y <= top + data_page.SIDE + 3 * data_page.LINE


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("a/b/short.png", "short.png"),
        ("IMG_20240131_123456.JPG", "IMG_20240131_\n123456.JPG"),
        ("x" * 30 + ".png", "x" * 13 + "\n…" + "x" * 8 + ".png"),
        ("$" * 14, r"\$" * 13 + "\n" + r"\$"),
        ("猫猫.png", "U+732B U+732B\n .png"),
    ],
)
def test_the_name_of_a_file_has_two_lines_at_most(path, shown):
    assert canvas.file_name(path) == shown


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("a/cat/short.png", "cat/\nshort.png"),
        ("x" * 30 + "/IMG_20240131_123456.JPG", "x" * 6 + "…" + "x" * 5 + "/\nIMG_20240131_\n123456.JPG"),
        ("short.png", "short.png"),
        ("", ""),
    ],
)
def test_the_folder_of_a_file_is_in_a_line_of_its_own(path, shown):
    assert canvas.file_in_folder(path) == shown


def test_the_stage_draws_own_pictures_with_their_names(tmp_path):
    root = write(tmp_path / "mine", *pictures.numbered(CLASSES, 24))
    downloaded(root, tmp_path / "raw")
    params = paramfile.check(subset.Params, {**DEFAULTS, **CARVED}, "subset")
    pages = [tmp_path / "a.png", tmp_path / "b.png"]
    for page in pages:
        subset.subset(params, tmp_path / "raw", tmp_path / "arrays", tmp_path / "data.json", page)
    assert pages[0].read_bytes() == pages[1].read_bytes()
    with Image.open(pages[0]) as image:
        assert image.format == "PNG"
    assert json.loads((tmp_path / "data.json").read_text())["pictures"]["odd"].keys() <= set(UNUSUAL)


def test_the_stage_draws_published_images(raw_cifar10, tmp_path, monkeypatch):
    figures = []

    def save(figure, path):
        figures.append(figure)
        path.touch()

    monkeypatch.setattr(canvas, "save", save)
    params = paramfile.check(subset.Params, {**DEFAULTS, "classes": ["cat", "frog"]}, "subset")
    subset.subset(params, raw_cifar10, *(tmp_path / name for name in ("arrays", "data.json", "data.png")))
    (figure,) = figures
    assert len(figure.axes) == 2 and ticks(figure.axes[1].yaxis) == ["cat", "frog"]
