"""What a renderer of GitHub's tables makes of the Markdown."""

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from stages.reporting import markdown
from tests import names

PLACES = {
    "a cell": "| name | count |\n|---|--:|\n| {} | 1 |",
    "the start of a line": "{} comes first.",
    "a sentence": "It is taken for {} once.",
    "a heading": "# Confusions of {}",
    "an item": "- {} is taken for {}",
    "bold": "**{} is best**",
}
ANY = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1)
renderer = MarkdownIt("commonmark").enable("table")


def cells(text):
    """The text of each table cell that is rendered, which may contain no tag but code."""
    found = re.findall(r"<t[hd](?: [^>]*)?>(.*?)</t[hd]>", renderer.render(text), re.DOTALL)
    return [html.unescape(re.sub(r"^<code>(.*)</code>$", r"\1", cell, flags=re.DOTALL)) for cell in found]


def names_in(text):
    """What is rendered as code."""
    return list(map(html.unescape, re.findall(r"<code>(.*?)</code>", renderer.render(text), re.DOTALL)))


def tags(text):
    return re.sub(r">[^<]*<", "><", renderer.render(text))


@pytest.mark.parametrize("name", [*names.NASTY, "airplane", "traffic light", "train.epochs", "forêt", "50%"])
@pytest.mark.parametrize("place", PLACES)
def test_a_name_is_read_as_it_is(name, place):
    count = PLACES[place].count("{}")
    text = PLACES[place].format(*[markdown.name(name)] * count)
    assert names_in(text) == [name] * count
    assert tags(text) == tags(PLACES[place].format(*["`ant`"] * count))


@given(ANY, st.sampled_from(sorted(PLACES)))
def test_any_name_is_text_wherever_it_is(name, place):
    shown = markdown.name(name)
    text = PLACES[place].format(*[shown] * PLACES[place].count("{}"))
    assert tags(text) == tags(PLACES[place].replace("{}", "`ant`"))


@given(ANY)
def test_any_name_is_one_cell(name):
    assert len(cells(markdown.cut(["name", "count"], [[markdown.name(name), "1"]]))) == 4


@pytest.mark.parametrize("character", ["a", "|", "猫"])
def test_the_middle_of_an_enormous_name_is_left_out(character):
    (shown,) = names_in(markdown.name("first" + 100_000 * character + "last"))
    assert len(shown) == 200
    assert shown.startswith(f"first{character}") and "…" in shown and shown.endswith(f"{character}last")


def test_a_plain_name_stays_readable():
    assert markdown.name("traffic light") == "`traffic light`"


def test_short_tables_are_open_and_long_ones_fold_and_are_cut():
    assert "<details>" not in markdown.table(["a"], [["1"]] * 20, "All")
    assert "<details>" in markdown.table(["a"], [["1"]] * 21, "All")
    text = markdown.table(["a"], [["1"]] * 130, "All")
    assert text.startswith("<details>\n<summary>All (130 rows)</summary>\n\n")
    assert len(cells(text)) == 101
    assert "and 30 more rows" in text


@pytest.mark.parametrize(("words", "alignment"), [(1, ":--- | ---:"), (2, ":--- | :---"), (0, "---: | ---:")])
def test_columns_of_words_are_aligned_to_the_left(words, alignment):
    assert markdown.cut(["a", "b"], [["1", "2"]], words) == f"| a | b |\n| {alignment} |\n| 1 | 2 |"


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


def test_a_document_names_the_parts_that_have_no_room():
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
    assert [markdown.percent(0.941, decimals) for decimals in (0, 1)] == ["94 %", "94.1 %"]
    assert markdown.percent_with_interval(0.8, 0.75, 0.84321) == "80.00 % (75.00 to 84.32)"
    assert [markdown.p_value(p) for p in (1.0, 0.0123, 0.00001)] == ["= 1", "= 0.012", "< 0.0001"]


def test_a_picture_with_a_space_in_its_path_is_found():
    rendered = renderer.render(markdown.picture("curves", "a folder/(1).png"))
    assert '<img src="a%20folder/%281%29.png" alt="curves"' in rendered


def test_a_link_leads_to_its_address():
    rendered = renderer.render(markdown.link("files", "https://example.com/runs/(1)#artifacts"))
    assert '<a href="https://example.com/runs/%281%29#artifacts">files</a>' in rendered
