"""Pictures that a table lists: how it is read, and what of it is missing, doubtful or refused."""

import json
import os
import re

import numpy as np
import pandas as pd
import pyarrow
import pytest

from stages.datasets import table
from stages.running import errors, paramfile
from stages.sources import index, listing
from tests import pictures
from tests.pictures import NFC, NFD, collected, put, write

ROWS = [
    {"file": "cat/000.png", "label": "cat"},
    {"file": "cat/001.png", "label": "cat"},
    {"file": "dog/000.png", "label": "dog"},
    {"file": "dog/001.png", "label": "dog"},
]
FOUR = {row["file"]: row["label"] for row in ROWS}


def options(**changes):
    return paramfile.check(table.Options, {**pictures.TABLE, **changes}, "download.dataset")


def columns(**changes):
    return {"columns": {**pictures.COLUMNS, **changes}}


def entries(root, **changes) -> listing.Listing:
    return table.entries(root, options(**changes))


def labels(root, **changes) -> dict[str, str]:
    return {entry.path: entry.label for entry in entries(root, **changes).entries}


def faults(root, **changes) -> dict[str, str]:
    return {fault.path: fault.kind for fault in entries(root, **changes).faults}


def refusal(root, **changes) -> str:
    with pytest.raises(errors.BadInput) as caught:
        entries(root, **changes)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def csv(rows, delimiter=",") -> bytes:
    """A table as pandas writes it."""
    return pd.DataFrame(rows).to_csv(index=False, sep=delimiter).encode()


def lines(rows) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def parquet(rows) -> bytes:
    return pd.DataFrame(rows).to_parquet()


@pytest.fixture
def mine(tmp_path):
    """Two pictures of cats and two of dogs."""
    return write(tmp_path / "mine", *FOUR)


WRITERS = {
    "labels.csv": csv,
    "BOM.CSV": lambda rows: b"\xef\xbb\xbf" + csv(rows),
    "windows.csv": lambda rows: csv(rows).replace(b"\n", b"\r\n"),
    "blank.csv": lambda rows: csv(rows).replace(b"\n", b"\n\n"),
    "trailing.csv": lambda rows: csv(rows).replace(b"at\n", b"at,\n"),
    "labels.tsv": lambda rows: csv(rows, "\t"),
    "labels.jsonl": lines,
    "BOM.jsonl": lambda rows: b"\xef\xbb\xbf" + lines(rows) + b"\n",
    "labels.parquet": parquet,
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_kind_of_table_gives_the_same_pictures(mine, name):
    put(mine / name, WRITERS[name](ROWS))
    listed = entries(mine, table=name)
    assert {entry.path: entry.label for entry in listed.entries} == FOUR
    assert (listed.classes, listed.faults, listed.remarks) == (["cat", "dog"], [], [])


@pytest.mark.parametrize("name", ["a\nb.png", 'q"u.png', "co,mma.png", "ta\tb.png", "'x'.png", "猫.png"])
@pytest.mark.parametrize("kind", ["labels.csv", "labels.tsv", "labels.jsonl", "labels.parquet"])
def test_any_name_of_a_file_and_class_is_read(mine, name, kind):
    write(mine, name)
    put(mine / kind, WRITERS[kind]([*ROWS, {"file": name, "label": name[:4]}]))
    assert labels(mine, table=kind)[name] == name[:4]
    assert faults(mine, table=kind) == {}


@pytest.mark.parametrize("kind", ["labels.csv", "labels.jsonl", "labels.parquet"])
def test_columns_are_of_ones_choice(tmp_path, kind):
    root = write(tmp_path, *FOUR)
    rows = [
        {"id": 7, "path": row["file"], "what": row["label"], "part": "train", "who": f"p{number}"}
        for number, row in enumerate(ROWS)
    ]
    put(root / kind, WRITERS[kind](rows))
    chosen = {"file": "path", "label": "what", "split": "part", "group": "who"}
    found = entries(root, table=kind, columns=chosen).entries
    assert [tuple(entry) for entry in found] == [
        (row["file"], row["label"], "train", f"p{number}") for number, row in enumerate(ROWS)
    ]


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_the_metadata_file_of_a_hub_is_read(mine, suffix):
    rows = [{"file_name": row["file"], "label": row["label"]} for row in ROWS]
    put(mine / f"metadata.{suffix}", WRITERS[f"labels.{suffix}"](rows))
    assert labels(mine, table=f"metadata.{suffix}", **columns(file="file_name")) == FOUR


def test_files_are_named_from_the_folder_of_the_table(mine):
    put(mine / "cat/some.csv", csv([{"file": "000.png", "label": "a"}, {"file": "001.png", "label": "b"}]))
    assert labels(mine, table="cat/some.csv") == {"cat/000.png": "a", "cat/001.png": "b"}


@pytest.mark.parametrize("delimiter", [",", ";"])
@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_spreadsheets_may_separate_by_semicolons(mine, delimiter, start):
    lines = [delimiter.join(row) for row in [("file", "label"), *FOUR.items()]]
    (mine / "labels.csv").write_text(start + "\n".join(lines), encoding="utf-8")
    assert labels(mine, table="labels.csv") == FOUR


NUMBERS = {
    "integers": [2, 10, 2, 10],
    "floats": [2.0, 10.0, 2.0, 10.0],
    "text": ["2", "10", "2", "10"],
    "nullable": pd.array([2, 10, 2, 10], "Int64"),
    "small": np.array([2, 10, 2, 10], np.uint8),
    "categories": pd.Categorical([2, 10, 2, 10]),
}


@pytest.mark.parametrize("kind", NUMBERS)
def test_labels_that_are_numbers_have_no_decimals(mine, kind):
    table = pd.DataFrame({"file": list(FOUR), "label": NUMBERS[kind]})
    table.to_parquet(mine / "labels.parquet")
    assert entries(mine, table="labels.parquet").classes == ["2", "10"]


MISSING = {
    "integers": pd.array([2, None, 2, 10], "Int64"),
    "floats": [2, np.nan, 2, 10],
    "text": ["2", None, "2", "10"],
    "blank": ["2", " ", "2", "10"],
    "dates": pd.Series(["2026-01-01", None, "2026-01-01", "2026-01-02"], dtype="datetime64[ns]"),
}


@pytest.mark.parametrize("kind", MISSING)
def test_a_missing_label_of_parquet_is_a_fault(mine, kind):
    pd.DataFrame({"file": list(FOUR), "label": MISSING[kind]}).to_parquet(mine / "labels.parquet")
    listed = entries(mine, table="labels.parquet")
    assert faults(mine, table="labels.parquet") == {"cat/001.png": "no_label"}
    assert len(listed.classes) == 2


@pytest.mark.parametrize("kind", ["labels.csv", "labels.tsv", "labels.jsonl"])
def test_rows_without_a_file_or_a_label_are_faults(mine, kind):
    rows = [*ROWS[1:], {"file": "cat/000.png", "label": ""}, {"file": "", "label": "cat"}]
    put(mine / kind, WRITERS[kind](rows))
    assert [tuple(fault) for fault in entries(mine, table=kind).faults] == [
        ("cat/000.png", "no_label", "row 4 of the table lacks the label"),
        ("", "no_file", "row 5 of the table lacks the file"),
    ]


def test_keys_that_some_json_lines_lack_are_faults(mine):
    put(mine / "labels.jsonl", lines([*ROWS, {"file": "cat/000.png"}, {"label": None}]))
    assert faults(mine, table="labels.jsonl") == {"cat/000.png": "no_label", "": "no_file"}


@pytest.mark.parametrize("value", ["NaN", "null"])
def test_a_number_that_is_none_is_no_label(mine, value):
    put(mine / "labels.jsonl", lines(ROWS[1:]) + b'{"file": "cat/000.png", "label": ' + value.encode() + b"}")
    assert faults(mine, table="labels.jsonl") == {"cat/000.png": "no_label"}


def test_what_the_reader_of_parquet_lacks_is_said(mine, monkeypatch):
    def lacking(*_):
        raise pyarrow.ArrowNotImplementedError("no such type")

    put(mine / "labels.parquet", parquet(ROWS))
    monkeypatch.setattr("pyarrow.parquet.ParquetFile.read", lacking)
    assert refusal(mine, table="labels.parquet").endswith("received another: no such type")


@pytest.mark.parametrize(("on_disk", "in_table"), [(NFC, NFD), (NFD, NFC)])
def test_names_match_however_accents_are_encoded(mine, on_disk, in_table):
    write(mine, f"{on_disk}/1.png")
    put(mine / "labels.csv", csv([*ROWS, {"file": f"{in_table}/1.png", "label": "cat"}]))
    assert f"{on_disk}/1.png" in labels(mine)
    assert faults(mine) == {}


def test_two_names_that_differ_in_accents_are_told_apart(mine):
    write(mine, f"{NFC}.png", f"{NFD}.png")
    rows = [{"file": f"{NFC}.png", "label": "cat"}, {"file": f"{NFD}.png", "label": "dog"}]
    put(mine / "labels.csv", csv(rows))
    assert labels(mine) == {f"{NFC}.png": "cat", f"{NFD}.png": "dog"}


@pytest.mark.parametrize("name", ["cat\\000.png", ".\\cat\\000.png", "./cat/000.png", "cat//000.png"])
def test_paths_are_read_as_other_systems_write_them(mine, name):
    put(mine / "labels.csv", csv([*ROWS[1:], {"file": name, "label": "cat"}]))
    assert labels(mine) == FOUR


def test_files_that_are_not_there_are_faults(mine, tmp_path):
    put(mine / "labels.csv", csv([*ROWS, {"file": "cat/gone.png", "label": "cat"}]))
    found = collected("table", mine, tmp_path / "raw")
    detail = f"the table names it, but there is no such file below {mine}"
    assert [tuple(fault) for fault in found.faults] == [("cat/gone.png", "missing", detail)]
    assert found.files == 5
    assert len(index.read(tmp_path / "raw")[1]["train"][1]) == 4


@pytest.mark.parametrize("name", ["../secret.png", "cat/../../secret.png", "{}/secret.png", "..\\secret.png"])
def test_nothing_outside_of_the_folder_is_read(mine, name):
    write(mine.parent, "secret.png")
    named = name.format(mine.parent)
    put(mine / "labels.csv", csv([*ROWS, {"file": named, "label": "cat"}]))
    assert faults(mine) == {named: "missing"}
    assert labels(mine) == FOUR


@pytest.mark.parametrize("name", ["cat/.hidden.png", "__MACOSX/cat/000.png"])
def test_what_systems_leave_behind_is_not_there(mine, name):
    write(mine, name)
    put(mine / "labels.csv", csv([*ROWS, {"file": name, "label": "cat"}]))
    assert faults(mine) == {name: "missing"}


def test_unlisted_pictures_are_counted_and_ten_are_named(mine):
    write(mine, *pictures.numbered(["emu"], 12), ".hidden.png")
    put(mine / "notes.txt")
    put(mine / "labels.csv", csv(ROWS))
    ten = ", ".join(pictures.numbered(["emu"], 10))
    assert entries(mine).remarks == [f"left out, as the table does not list them: 12: {ten}, ..."]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"label": "dog"}, "found cat/000.png under cat, train, p1 and dog, train, p1; correct"),
        ({"split": "VAL"}, "found cat/000.png under cat, train, p1 and cat, val, p1; correct"),
        ({"group": ""}, "found cat/000.png under cat, train, p1 and cat, train; correct"),
    ],
)
def test_a_file_under_two_names_is_refused_with_both(mine, row, said):
    rows = [{**each, "split": "train", "group": "p1"} for each in ROWS]
    put(mine / "labels.csv", csv([*rows, {**rows[0], **row}]))
    assert said in refusal(mine, **columns(split="split", group="group"))


def test_a_file_that_is_listed_twice_alike_is_one(mine):
    put(mine / "labels.csv", csv([*ROWS, ROWS[0], {**ROWS[0], "file": "cat\\000.png"}]))
    assert len(entries(mine).entries) == 4


@pytest.mark.parametrize("name", listing.SPLITS)
def test_a_split_has_any_of_its_usual_names(mine, name):
    names = [name.title(), "train", "TRAIN", "train"]
    put(mine / "labels.csv", csv([{**row, "split": split} for row, split in zip(ROWS, names, strict=True)]))
    found = [entry.split for entry in entries(mine, **columns(split="split")).entries]
    assert found == [listing.SPLITS[name], "train", "train", "train"]


def test_an_unknown_split_is_refused_with_the_near_one(mine):
    put(mine / "labels.csv", csv([{**row, "split": "trian"} for row in ROWS]))
    said = refusal(mine, **columns(split="split"))
    assert said.startswith(f"{mine}/labels.csv: unknown split 'trian'") and "Did you mean 'train'?" in said


def test_splits_in_some_rows_only_are_refused(mine):
    rows = [{**row, "split": split} for row, split in zip(ROWS, ["train", "", "train", " "], strict=True)]
    put(mine / "labels.csv", csv(rows))
    said = refusal(mine, **columns(split="split"))
    assert said == ("expected a split in every row or in none, found none for 2: cat/001.png, dog/001.png")


def test_splits_without_one_for_training_are_refused(mine):
    put(mine / "labels.csv", csv([{**row, "split": "test"} for row in ROWS]))
    assert refusal(mine, **columns(split="split")) == "expected rows of the split train, found none"


@pytest.mark.parametrize("role", ["file", "label", "split", "group"])
@pytest.mark.parametrize("kind", ["labels.csv", "labels.jsonl", "labels.parquet"])
def test_an_unknown_column_is_refused_with_the_near_one(mine, role, kind):
    put(mine / kind, WRITERS[kind]([{**row, "split": "train", "group": "a"} for row in ROWS]))
    said = refusal(mine, table=kind, **columns(**{role: f"{role}s"}))
    assert said == (
        f"download.dataset.columns.{role}: unknown column '{role}s'; expected one of: file, label, split,"
        f" group. Did you mean '{role}'?"
    )


def test_columns_that_are_numbers_are_named(mine):
    pd.DataFrame([[1, 2]]).to_parquet(mine / "labels.parquet")
    assert "expected one of: 0, 1." in refusal(mine, table="labels.parquet")


def test_an_unknown_table_is_refused_with_the_near_one(mine):
    put(mine / "labels.csv", csv(ROWS))
    said = refusal(mine, table="label.csv")
    assert said == "unknown table 'label.csv'; expected one of: labels.csv. Did you mean 'labels.csv'?"
    (mine / "labels.csv").unlink()
    assert "(no table is there)" in refusal(mine)


@pytest.mark.parametrize("name", ["labels.txt", "labels", "../labels.csv", "/labels.csv", "a/../../b.csv"])
def test_a_table_elsewhere_or_of_another_kind_is_refused(name):
    with pytest.raises(errors.BadInput, match=r"download\.dataset\.table: expected a table"):
        options(table=name)


DAMAGED = {
    "an extra field": ("a.csv", b"file,label\na.png,cat\nb,c.png,dog\n", "line 3 has 3 fields, not 2"),
    "an extra field at once": ("a.csv", b"file,label\nb,c.png,dog\n", "line 2 has 3 fields, not 2"),
    "too few fields": ("a.csv", b"file,label\na.png\n", "line 2 has 1 fields, not 2"),
    "an open quote": ("a.csv", b'file,label\n"a.png,cat\n', "unexpected end of data"),
    "no text": ("a.csv", b"\xff\xfe\x00f", "can't decode"),
    "a column twice": ("a.csv", b"file,label,file\n", "a column is there twice: file, label, file"),
    "a column many times": ("a.csv", b"file,label" + b",file" * 100_000, "a column is there twice: file, "),
    "many fields": ("a.csv", b"file,label\n" + b"a," * 100_000 + b"b\n", "line 2 has 100001 fields, not 2"),
    "a long line": ("a.csv", b"file,label\n" + b"a," * 600_000, "line 2 has 1,048,576 characters or more"),
    "a long line of JSON": ("a.jsonl", b"[" + b"1," * 600_000, "line 1 has 1,048,576 characters or more"),
    "a long field": ("a.csv", b"file,label\n" + b"x" * 200_000 + b",cat\n", "field larger than field limit"),
    "no JSON": ("a.jsonl", b"file,label\n", "Expecting value"),
    "a list of lines": ("a.jsonl", lines([["a.png", "cat"]]), "row 1 is no JSON object"),
    "deep JSON": ("a.jsonl", b"[" * 100_000, "recursion"),
    "a long number": ("a.jsonl", b'{"file": ' + b"9" * 5000 + b"}", "Exceeds the limit"),
    "no parquet": ("a.parquet", b"file,label\n", "Parquet"),
    "a place in a dictionary that is not there": (
        "a.parquet",
        pd.DataFrame(ROWS)
        .to_parquet(compression=None)
        .replace(b"\x08\x01\x01\x03\x0c", b"\x08\x01\x01\x0c\x0c"),
        "Dictionary indices invalid",
    ),
    "cut parquet": ("a.parquet", parquet(ROWS)[:-30], "Parquet"),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_table_is_refused_in_one_line(mine, kind):
    name, data, reason = DAMAGED[kind]
    put(mine / name, data)
    said = refusal(mine, table=name)
    assert said.startswith(f"{mine}/{name}: expected a table as its suffix says, received another: ")
    assert reason in said and len(said) < 500


def test_a_parquet_file_with_a_wrong_byte_is_no_traceback(mine):
    data = parquet(ROWS)
    refused = 0
    for place in range(4, len(data), 11):
        put(mine / "labels.parquet", data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :])
        try:
            entries(mine, table="labels.parquet")
        except errors.BadInput as error:
            assert "\n" not in str(error)
            refused += 1
    assert refused > 10


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "unknown column 'file'"),
        (b"\n\n", "unknown column 'file'"),
        (b"file,label\n", "expected at least two classes of pictures, found none"),
        (b"file,label\n,\n", "expected at least two classes of pictures, found none"),
    ],
)
def test_an_empty_table_is_refused(mine, data, said):
    put(mine / "labels.csv", data)
    assert said in refusal(mine)


@pytest.mark.parametrize("value", [["cat"], {"name": "cat"}, b"cat"])
def test_labels_that_are_no_text_or_number_are_refused(mine, value):
    pd.DataFrame({"file": list(FOUR), "label": [value] * 4}).to_parquet(mine / "labels.parquet")
    said = refusal(mine, table="labels.parquet")
    assert said.startswith(f"{mine}/labels.parquet: label: expected text or numbers, received ")


def test_text_that_is_no_unicode_is_refused(mine):
    put(mine / "labels.jsonl", lines([{**row, "label": "\ud800"} for row in ROWS]))
    said = refusal(mine, table="labels.jsonl")
    assert said == rf"{mine}/labels.jsonl: label: expected text, received '\ud800', which is no Unicode"


def test_classes_that_differ_only_in_case_are_refused(mine):
    put(mine / "labels.csv", csv([*ROWS[:3], {**ROWS[3], "label": "Dog"}]))
    assert re.search("found 'Dog' and 'dog'|found 'dog' and 'Dog'", refusal(mine))


def test_a_table_and_its_pictures_may_be_an_archive(mine, tmp_path):
    put(mine / "labels.csv", csv(ROWS))
    collected("table", mine, tmp_path / "plain")
    archive = pictures.zipped(tmp_path / "mine.zip", pictures.content(mine))
    collected("table", archive, tmp_path / "raw")
    one, other = (tmp_path / raw / index.TABLE for raw in ("plain", "raw"))
    assert one.read_bytes() == other.read_bytes()


def test_only_so_many_columns_as_are_named_are_kept(mine):
    """A row for every key, and all of them for every row, would be far more than the file."""
    put(mine / "labels.jsonl", lines([*ROWS, *({str(number): 1} for number in range(3000))]))
    names, read = table.READERS[".jsonl"](mine / "labels.jsonl", ["file", "label"])
    assert len(names) == 3002 and list(read) == ["file", "label"]


@pytest.mark.parametrize("kind", ["labels.csv", "labels.jsonl", "labels.parquet"])
def test_only_so_many_rows_are_read(mine, kind, monkeypatch):
    monkeypatch.setattr(table, "MOST_ROWS", 3)
    put(mine / kind, WRITERS[kind](ROWS))
    assert re.search("it has more than 3 (lines|rows)$", refusal(mine, table=kind))


def test_a_text_that_is_there_many_times_is_kept_once(mine):
    put(mine / "labels.parquet", parquet([{**row, "label": "x" * 4000} for row in ROWS]))
    _, read = table.READERS[".parquet"](mine / "labels.parquet", ["label"])
    assert len({id(label) for label in read["label"]}) == 1


@pytest.mark.parametrize("column", ["label", "split", "file"])
def test_a_text_without_end_is_refused_in_a_short_line(mine, column):
    put(mine / "labels.jsonl", lines([{**row, "split": "train", column: "x" * 100_000} for row in ROWS]))
    said = refusal(mine, table="labels.jsonl", **columns(split="split"))
    assert f"{column}: expected at most 4,096 characters, received 100,000: " in said and len(said) < 500


@pytest.mark.parametrize("target", ["/dev/zero", "labels.csv", "nowhere"])
def test_a_table_that_is_no_file_is_not_read(mine, target):
    (mine / "labels.csv").symlink_to(target)
    assert "(no table is there)" in refusal(mine)
    (mine / "labels.csv").unlink()
    os.mkfifo(mine / "labels.csv")
    assert "(no table is there)" in refusal(mine)


def test_names_of_columns_without_end_are_cut(mine):
    put(mine / "labels.csv", b"x" * 100_000 + b",label\n")
    assert len(refusal(mine)) < 500
