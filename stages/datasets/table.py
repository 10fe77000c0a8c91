"""Your own pictures, listed in a table: a CSV, JSON Lines or Parquet file beside or above them.

Each row names a file, relative to the table's folder, and its class; it may name a split and a group.
"""

import csv
import functools
import itertools
import json
import sys
import unicodedata
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, TextIO

import pydantic

from stages.running import errors, paramfile
from stages.sources import index, listing

LONGEST_LINE = 1 << 20  # characters
LONGEST_TEXT = 4096  # characters of a file's path, which systems limit so, of a class or a group
MOST_ROWS = 10_000_000

Names = Collection[str]  # of all columns
Column = list[Any]  # a value per row; None where there is none


def _delimited(path: Path, wanted: Sequence[str], delimiter: str) -> tuple[Names, dict[str, Column]]:
    """Read a CSV or TSV file; unlike pandas, which takes a comma too many for one more column, strictly."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        first = file.readline(LONGEST_LINE)
        file.seek(0)
        # Where numbers have decimal commas, spreadsheets write semicolons.
        is_other = delimiter not in first and ";" in first
        rows = csv.reader(_lines(file), delimiter=";" if is_other else delimiter, strict=True)
        header = next(rows, [])
        _require_different(header)
        columns: dict[str, Column] = {name: [] for name in wanted if name in header}
        places = [header.index(name) for name in columns]
        for row in filter(None, rows):
            if len(row) < len(header) or any(row[len(header) :]):
                raise ValueError(f"line {rows.line_num} has {len(row)} fields, not {len(header)}: {row[:10]}")
            for column, place in zip(columns.values(), places, strict=True):
                column.append(row[place])
    return header, columns


def _lines(file: TextIO) -> Iterator[str]:
    """Yield the lines of a file."""
    for number in itertools.count(1):
        line = file.readline(LONGEST_LINE)
        if len(line) == LONGEST_LINE:
            raise ValueError(f"line {number} has {LONGEST_LINE:,} characters or more")
        if number > MOST_ROWS:
            raise ValueError(f"it has more than {MOST_ROWS:,} lines")
        if not line:
            return
        yield line


def _require_different(names: Sequence[str]) -> None:
    if len(set(names)) < len(names):
        raise ValueError(f"a column is there twice: {', '.join(names)}")


def _json_lines(path: Path, wanted: Sequence[str]) -> tuple[Names, dict[str, Column]]:
    names: dict[str, None] = {}
    columns: dict[str, Column] = {name: [] for name in wanted}
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(filter(str.strip, _lines(file)), start=1):
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError(f"row {number} is no JSON object: {line.strip()[:40]}")
            names.update(dict.fromkeys(row))
            for name, column in columns.items():
                column.append(row.get(name))
    return names, columns


def _parquet(path: Path, wanted: Sequence[str]) -> tuple[Names, dict[str, Column]]:
    import pyarrow  # takes a fifth of a second
    from pyarrow import parquet

    try:
        facts = parquet.read_metadata(path)
        groups = (facts.row_group(number).num_rows for number in range(facts.num_row_groups))
        if max(facts.num_rows, sum(groups)) > MOST_ROWS:
            raise ValueError(f"it has more than {MOST_ROWS:,} rows")
        names = facts.schema.to_arrow_schema().names
        _require_different(names)
        found = [name for name in wanted if name in names]
        # A text that is there many times is kept once. Pandas would trust what the file says of itself.
        texts = {facts.schema.column(number).path for number in range(facts.num_columns)} & set(found)
        with parquet.ParquetFile(path, metadata=facts, read_dictionary=list(texts)) as file:
            table = file.read(found)
        table.validate(full=True)  # a place in a dictionary may be one that is not there
        return names, {name: _values(table[name]) for name in found}
    except pyarrow.ArrowException as error:
        raise ValueError(str(error)) from error


def _values(column: Any) -> Column:
    """Return the values of a column of Arrow."""
    values: Column = []
    for chunk in column.chunks:
        if hasattr(chunk, "dictionary"):
            known = [*chunk.dictionary.to_pylist(), None]
            values += [known[-1 if place is None else place] for place in chunk.indices.to_pylist()]
        else:
            values += chunk.to_pylist()
    return values


READERS: dict[str, Callable[[Path, Sequence[str]], tuple[Names, dict[str, Column]]]] = {
    ".csv": functools.partial(_delimited, delimiter=","),
    ".tsv": functools.partial(_delimited, delimiter="\t"),
    ".jsonl": _json_lines,
    ".parquet": _parquet,
}


def columns_of(path: Path, wanted: Sequence[str]) -> tuple[Names, dict[str, Column]]:
    """Read columns of a table in one of READERS.

    Args:
        path: A file.
        wanted: The names of columns.

    Returns:
        The names of all columns, and the wanted ones that are there.

    Raises:
        errors.BadInput: the file is no such table.
    """
    try:
        return READERS[path.suffix.lower()](path, wanted)
    except (ValueError, OSError, RecursionError, csv.Error) as error:
        reason = listing.shown((str(error).splitlines() or [type(error).__name__])[0])
        raise errors.BadInput(
            f"{path}: expected a table as its suffix says, received another: {reason}"
        ) from error


class Columns(paramfile.Section):
    """The names of the table's columns."""

    file: str
    label: str
    split: str | None
    group: str | None  # pictures of the same group stay in one split


class Options(listing.Checks):
    """Options of the dataset table."""

    table: str  # the table's file, below download.images
    columns: Columns

    @pydantic.field_validator("table")
    @classmethod
    def _readable(cls, name: str) -> str:
        path = PurePosixPath(name)
        if path.suffix.lower() not in READERS:
            raise ValueError(f"expected a table in one of {', '.join(READERS)}, received {name!r}")
        if path.is_absolute() or ".." in path.parts:
            raise ValueError(f"expected a table below download.images, received {name!r}")
        return name


def collect(options: Options, place: Path, folder: Path) -> index.Collected:
    """Check every picture that the table names, and write an index of them to a folder.

    Raises:
        errors.BadInput: there is no such table or column, a split has no usual name, or one file is listed
            under two classes.
    """
    root = index.root(place)
    return index.collect("table", place, root, entries(root, options), options.max_pixels, folder)


read = index.read


def entries(root: Path, options: Options) -> listing.Listing:
    """List what a table names, and compare it with the files that are there.

    Raises:
        errors.BadInput: see `collect`.
    """
    there = {path: path for path in listing.walk(root).files}
    spelt = {
        unicodedata.normalize("NFC", path): path
        for path in there
        if not unicodedata.is_normalized("NFC", path)
    }
    base = PurePosixPath(options.table).parent
    found: dict[str, listing.Entry] = {}
    faults = []
    for number, (name, label, split, group) in enumerate(_rows(root, options), start=1):
        named = str(base / name.replace("\\", "/"))
        usual = unicodedata.normalize("NFC", named)
        path = there.get(named) or there.get(usual) or spelt.get(usual)
        if not name or not label:
            lacks = "label" if name else "file"
            faults.append(listing.Fault(name, f"no_{lacks}", f"row {number} of the table lacks the {lacks}"))
        elif not path:
            detail = f"the table names it, but there is no such file below {root}"
            faults.append(listing.Fault(name, "missing", detail))
        else:
            _add(found, listing.Entry(path, sys.intern(label), split, sys.intern(group)))
    unlisted = sorted(path for path in there if path not in found and listing.is_picture(path))
    remarks = [f"left out, as the table does not list them: {listing.named(unlisted)}"] if unlisted else []
    listed = list(found.values())
    _require_all_or_no_splits(listed)
    classes = listing.classes({entry.label for entry in listed}, root / options.table)
    return listing.Listing(classes, listed, faults, remarks)


def _rows(root: Path, options: Options) -> Iterator[tuple[str, ...]]:
    """Read the file, label, split and group of each row as text; "" where there is nothing."""
    path = root / options.table
    if not path.is_file():
        walked = listing.walk(root)
        files = [each for each in sorted([*walked.files, *walked.left]) if (root / each).is_file()]
        tables = [each for each in files if PurePosixPath(each).suffix.lower() in READERS]
        raise errors.unknown("table", options.table, tables or ["(no table is there)"])
    wanted = options.columns.model_dump()
    names, table = columns_of(path, list(dict.fromkeys(filter(None, wanted.values()))))
    for role, name in wanted.items():
        if name is not None and name not in names:
            raise errors.BadInput(f"download.dataset.columns.{role}: {errors.unknown('column', name, names)}")
    nothing = [""] * len(table[options.columns.file])
    columns = [
        [_text(value, f"{path}: {name}") for value in table[name]] if name else nothing
        for name in wanted.values()
    ]
    columns[2] = [_split(text, path) for text in columns[2]]
    return zip(*columns, strict=True)


def _text(value: object, where: str) -> str:
    """Return a cell as text; whole numbers have no decimals, and nothing is empty."""
    if isinstance(value, bytes | list | dict):
        raise errors.BadInput(
            f"{where}: expected text or numbers, received {type(value).__name__}: {value!r:.40}"
        )
    if value is None or value != value:  # NaN differs from itself
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value).strip()
    if len(text) > LONGEST_TEXT:
        raise errors.BadInput(
            f"{where}: expected at most {LONGEST_TEXT:,} characters, received {len(text):,}: {text!r:.40}"
        )
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise errors.BadInput(f"{where}: expected text, received {text!r:.40}, which is no Unicode") from None
    return text


def _split(text: str, path: Path) -> str:
    if text and text.casefold() not in listing.SPLITS:
        raise errors.BadInput(f"{path}: {errors.unknown('split', text, listing.SPLITS)}")
    return listing.SPLITS[text.casefold()] if text else ""


def _add(found: dict[str, listing.Entry], entry: listing.Entry) -> None:
    other = found.setdefault(entry.path, entry)
    if other != entry:
        raise errors.BadInput(
            f"expected each file under one class, split and group, found {listing.shown(entry.path)} under"
            f" {_places(other)} and {_places(entry)}; correct the table"
        )


def _places(entry: listing.Entry) -> str:
    return ", ".join(filter(None, map(listing.shown, entry[1:])))


def _require_all_or_no_splits(listed: list[listing.Entry]) -> None:
    if without := [entry.path for entry in listed if not entry.split]:
        if len(without) < len(listed):
            raise errors.BadInput(
                f"expected a split in every row or in none, found none for {listing.named(without)}"
            )
    if listed and all(entry.split not in ("", "train") for entry in listed):
        raise errors.BadInput("expected rows of the split train, found none")
