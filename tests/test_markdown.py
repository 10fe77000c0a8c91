"""What a renderer of GitHub's tables makes of the Markdown."""

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from stages.reporting import markdown

NASTY = [
    "a|b",
    "<script>",
    "$x$ $y$",
    "`tick`",
    "a_b_c *d*",
    "@someone",
    "#12",
    "[a](b)",
    "\\|",
    "&amp;",
    " x ",
]
renderer = MarkdownIt("commonmark").enable("table")


def cells(text):
    """The text of each table cell that is rendered, and no tag but code may stand in it."""
    found = re.findall(r"<t[hd](?: [^>]*)?>(.*?)</t[hd]>", renderer.render(text), re.DOTALL)
    return [html.unescape(re.sub(r"^<code>(.*)</code>$", r"\1", cell, flags=re.DOTALL)) for cell in found]


@pytest.mark.parametrize("name", [*NASTY, "airplane", "traffic light", "train.epochs", "forêt", "50%"])
def test_a_name_is_read_as_it_stands(name):
    text = markdown.cut(["name", "count"], [[markdown.name(name), "1"]])
    assert cells(text) == ["name", "count", name, "1"]
    assert "<code>" in renderer.render(text)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
def test_any_name_is_one_cell(name):
    assert len(cells(markdown.cut(["name", "count"], [[markdown.name(name), "1"]]))) == 4


def test_a_plain_name_stays_readable():
    assert markdown.name("traffic light") == "`traffic light`"


def test_short_tables_are_open_and_long_ones_fold_and_are_cut():
    assert "<details>" not in markdown.table(["a"], [["1"]] * 20, "All")
    assert "<details>" in markdown.table(["a"], [["1"]] * 21, "All")
    text = markdown.table(["a"], [["1"]] * 130, "All")
    assert text.startswith("<details>\n<summary>All (130 rows)</summary>\n\n")
    assert len(cells(text)) == 101
    assert "and 30 more rows" in text


def test_a_folded_table_is_rendered_as_a_table():
    assert "<table>" in renderer.render(markdown.fold("All", markdown.cut(["a"], [["1"]])))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "none"),
        (0.94, "0.94"),
        (1.0, "1"),
        (0.0, "0"),
        (0.123456, "0.1235"),
        (0.00012345, "0.0001234"),
        (-0.5, "-0.5"),
        (135003, "135,003"),
        (True, "`True`"),
        ("sgd", "`sgd`"),
        ([1, "a"], "`[1, 'a']`"),
    ],
)
def test_values_are_rounded(value, text):
    assert markdown.value(value) == text


def test_a_document_names_the_parts_for_which_a_comment_has_no_room():
    parts = [
        "**Worse**",
        "",
        "### Metrics\n\n" + 40_000 * "a",
        "### Classes\n\n" + 40_000 * "b",
        "### Params\n\nc",
    ]
    text = markdown.document(parts)
    assert text.startswith("**Worse**\n\n### Metrics\n\naaa")
    assert text.endswith("### Params\n\nc\n\nLeft out, too long for a comment: Classes.")
    assert markdown.document(parts[:3]) == f"{parts[0]}\n\n{parts[2]}"


def test_changes_carry_their_sign():
    assert [markdown.points(change) for change in (0.0123, -0.0123, 0.0, -0.00001)] == [
        "+1.23",
        "-1.23",
        "+0.00",
        "+0.00",
    ]
    assert markdown.percent(0.941) == "94.10 %"
    assert [markdown.p_value(p) for p in (1.0, 0.0123, 0.00001)] == ["= 1", "= 0.012", "< 0.0001"]


def test_a_picture_with_a_space_in_its_path_is_found():
    rendered = renderer.render(markdown.picture("curves", "a folder/(1).png"))
    assert '<img src="a%20folder/%281%29.png" alt="curves"' in rendered


def test_a_link_leads_to_its_address():
    rendered = renderer.render(markdown.link("files", "https://example.com/runs/(1)#artifacts"))
    assert '<a href="https://example.com/runs/%281%29#artifacts">files</a>' in rendered
