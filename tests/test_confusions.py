"""Confusions say what the counts say: in words, as a table and in DVC's plot."""

import html
import re
import shutil

import numpy as np
import pytest
from dvc.render.match import match_defs_renderers
from dvc.repo import Repo
from markdown_it import MarkdownIt

from stages.reporting import confusions
from tests import names, sandbox

COUNTS = np.array([[928, 72, 0], [1, 998, 1], [0, 3, 7]])


def test_pairs_are_sorted_by_their_images_then_by_their_labels():
    assert confusions.pairs(COUNTS) == [(0, 1, 72), (2, 1, 3), (1, 0, 1), (1, 2, 1)]


def test_the_pairs_are_told_in_words_and_in_a_table():
    lines = confusions.text(COUNTS, ["ant", "bee", "cat"]).splitlines()
    assert lines[:5] == [
        "# Confused classes",
        "",
        "77 of the 2,010 test images (3.8 %) are taken for another class. All pairs of classes:",
        "",
        "- `ant` is taken for `bee` 72 times of 1,000 (7.2 %)",
    ]
    assert lines[6] == "- `bee` is taken for `ant` once of 1,000 (0.1 %)"
    assert "| `cat` | `bee` | 3 | 10 | 30.0 % | 1 |" in lines


def test_at_most_ten_pairs_are_told():
    text = confusions.text(np.ones((5, 5), int), list("abcde"))
    assert "The commonest 10 of 20 pairs of classes" in text
    assert text.count("\n- ") == 10 and len(re.findall(r"\n\| `", text)) == 10


def test_nothing_confused_is_said():
    text = confusions.text(np.diag([3, 2]), ["ant", "bee"])
    assert text == "# Confused classes\n\nNone of the 5 test images is taken for another class.\n"


@pytest.mark.parametrize("name", names.NASTY)
def test_class_names_are_no_markup(name):
    text = confusions.text(np.array([[0, 1], [0, 0]]), [name, "dog"])
    rendered = MarkdownIt("commonmark").enable("table").render(text)
    shown = re.findall(r"<code>(.*?)</code>", rendered, re.DOTALL)
    assert list(map(html.unescape, shown)) == [name, "dog", name, "dog"]


def test_the_table_has_every_class_in_order_first():
    table = confusions.table(COUNTS, ["cat", "bee", "ant"])
    assert table.columns.tolist() == ["actual", "predicted", "images", "share"]
    assert table.to_numpy().tolist() == [
        ["cat", "cat", 928, 0.928],
        ["bee", "bee", 998, 0.998],
        ["ant", "ant", 7, 0.7],
        ["cat", "bee", 72, 0.072],
        ["bee", "cat", 1, 0.001],
        ["bee", "ant", 1, 0.001],
        ["ant", "bee", 3, 0.3],
    ]


def test_classes_without_images_are_in_the_table():
    table = confusions.table(np.diag([3, 0]), ["bee", "ant"])
    assert table.to_numpy().tolist() == [["bee", "bee", 3, 1.0], ["ant", "ant", 0, 0.0]]


def test_the_table_grows_with_the_mistakes():
    counts = np.eye(1000, dtype=int)
    counts[3, 5] = 1
    assert len(confusions.table(counts, list(map(str, range(1000))))) == 1001


def commit(repository, counts, classes):
    folder = repository.path / "reports"
    folder.mkdir(exist_ok=True)
    confusions.table(counts, classes).to_csv(folder / "confusions.csv", index=False)
    repository.commit("confusions")


def in_order(values):
    return list(dict.fromkeys(values))


@pytest.fixture(scope="module")
def plot(tmp_path_factory):
    """The plot that `dvc plots diff` draws in a clone, of three classes against four."""
    path = tmp_path_factory.mktemp("plots")
    project = sandbox.create(path / "project")
    commit(project, np.diag([1, 0, 2]), ["zebra", "NA", "10"])
    commit(project, np.eye(4, dtype=int), ["zebra", "NA", "10", "9"])
    with Repo(project.clone(path / "clone").path) as repo:
        found = repo.plots.diff(revs=["HEAD~1", "HEAD"])
        renderers = [
            each.renderer for each in match_defs_renderers(found, templates_dir=repo.plots.templates_dir)
        ]
    shutil.rmtree(path)
    return next(each for each in renderers if each.name == "confusions").get_filled_template()


@pytest.mark.parametrize("axis", ["actual", "predicted"])
def test_dvc_plots_the_classes_in_their_order(plot, axis):
    cells = plot["data"]["values"]
    assert in_order(cell[axis] for cell in cells if cell["rev"] == "HEAD~1") == ["zebra", "NA", "10"]
    assert in_order(cell[axis] for cell in cells) == ["zebra", "NA", "10", "9"]
    channel = plot["spec"]["encoding"]["x" if axis == "predicted" else "y"]
    assert (channel["field"], channel["sort"]) == (axis, None)  # as the data have it, says Vega-Lite
    assert plot["facet"]["column"] == {"field": "rev", "sort": []}


def test_the_plot_reads_columns_that_are_there(plot):
    layers = [each["encoding"] for each in plot["spec"]["layer"]]
    assert [layers[0]["color"]["field"], layers[1]["text"]["field"]] == ["share", "images"]
    assert {"share", "images"} < set(plot["data"]["values"][0])
