"""Files of a revision are read if they are plain, small and hold plain values; else there is one line."""

import re

import pytest

from stages.review import lockfile, revision
from stages.running import documents, errors

ALIASES = "a0: &a0 [1, 2, 3, 4, 5, 6, 7, 8, 9]\n" + "".join(
    f"a{number + 1}: &a{number + 1} [{', '.join(9 * [f'*a{number}'])}]\n" for number in range(9)
)


def holding(text, kind=documents.PLAIN_FILE):
    """A revision whose files all hold a text."""
    content = text.encode("latin-1")
    return revision.Revision("main", lambda path: revision.File(kind, len(content), lambda: content))


def test_documents_are_read():
    assert holding('{"a": [1, 0.5, null, true, "b"]}').json("f") == {"a": [1, 0.5, None, True, "b"]}
    assert holding("a: {b: [1e-3]}\nc: &c [1]\nd: *c\n").yaml("f") == {
        "a": {"b": [0.001]},
        "c": [1],
        "d": [1],
    }


def test_what_is_not_there_is_none():
    empty = revision.Revision("main", lambda path: None)
    assert (empty.content("f"), empty.json("f"), empty.yaml("f"), empty.table("f")) == (None,) * 4
    assert lockfile.read(empty) == {}


@pytest.mark.parametrize(
    ("read", "text", "expected"),
    [
        ("yaml", "[1]", "a YAML mapping"),
        ("yaml", "a: [", "a YAML mapping"),
        ("yaml", "\xff", "a YAML mapping"),
        ("yaml", "!!python/object/apply:os.getcwd []", "a YAML mapping"),
        ("yaml", f"a: {60 * '['}{60 * ']'}", "at most 50 levels"),
        ("yaml", "a: &a {b: *a}", "at most 1,000,000 values"),
        ("yaml", ALIASES, "at most 1,000,000 values"),
        ("yaml", "a: 2026-01-01", "numbers, texts, lists and mappings, received date"),
        ("yaml", f"a: {10**400}", "whole numbers from -2**63 to 2**63"),
        ("yaml", "a: " + 300_000 * "b", "at most 262,144 bytes"),
        ("json", "[]", "a JSON object"),
        ("json", "\xff", "a JSON object"),
        ("json", f'{{"a": {5000 * "9"}}}', "a JSON object"),
        ("json", f'{{"a": {10**400}}}', "whole numbers from -2**63 to 2**63"),
        ("json", f'{{"a": {100_000 * "["}', "at most 50 levels"),
        ("table", 5000 * "a,", "a table"),
        ("table", "", "a table"),
    ],
)
def test_what_a_document_must_not_be_is_one_short_line(read, text, expected):
    with pytest.raises(errors.BadInput, match=rf"\Af of main: expected {re.escape(expected)}.*\Z") as raised:
        getattr(holding(text), read)("f")
    assert len(str(raised.value)) < 400


def test_only_plain_files_of_bounded_size_are_read():
    def read():
        raise AssertionError

    link = revision.Revision("main", lambda path: revision.File("a link", 0, read))
    large = revision.Revision("main", lambda path: revision.File(documents.PLAIN_FILE, 2**40, read))
    with pytest.raises(errors.BadInput, match="expected a plain file, received a link"):
        link.json("f")
    with pytest.raises(errors.BadInput, match="expected at most 33,554,432 bytes, received 1,099"):
        large.table("f")


@pytest.mark.parametrize(
    "text",
    [
        "stages: null",
        "stages: [1]",
        "stages: {train: null}",
        "stages: {train: {deps: null}}",
        "stages: {train: {outs: [null]}}",
        "stages: {train: {outs: {a: 1}}}",
        "stages: {train: {outs: [{path: 3}]}}",
        "stages: {1: {}}",
        "other: {}",
    ],
)
def test_a_lock_of_another_form_is_refused(text):
    with pytest.raises(errors.BadInput, match=r"\Advc.lock of main: expected a lock file that DVC wrote.*\Z"):
        lockfile.read(holding(text))
