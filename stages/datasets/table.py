"""Your own pictures, listed in a table: a CSV, JSON Lines or Parquet file beside or above them.

Each row names a file, relative to the table's folder, and its class; it may name a split and a group.
"""

import unicodedata
from pathlib import Path, PurePosixPath

import pandas as pd
import pydantic

from stages.running import errors, paramfile
from stages.sources import index, listing

READERS = {
    ".csv": lambda path: pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig"),
    ".tsv": lambda path: pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False, encoding="utf-8-sig"),
    ".jsonl": lambda path: pd.read_json(path, lines=True, dtype=False, convert_dates=False),
    ".parquet": pd.read_parquet,
}


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
        if PurePosixPath(name).suffix.lower() not in READERS:
            raise ValueError(f"expected a table in one of {', '.join(READERS)}, received {name!r}")
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
    rows = _rows(root, options)
    there = {path for path, is_left in listing.walk(root) if not is_left}
    spelt = {unicodedata.normalize("NFC", path): path for path in there}
    base = PurePosixPath(options.table).parent
    found: dict[str, listing.Entry] = {}
    faults = []
    for name, label, split, group in rows.itertuples(index=False):
        named = str(base / name.replace("\\", "/"))
        path = named if named in there else spelt.get(unicodedata.normalize("NFC", named), "")
        if not name or not label:
            kind = "no_label" if name else "no_file"
            faults.append(listing.Fault(name, kind, "its row lacks the file or the label"))
        elif not path:
            detail = f"the table names it, but there is no such file below {root}"
            faults.append(listing.Fault(name, "missing", detail))
        else:
            _add(found, listing.Entry(path, label, split, group))
    unlisted = sorted(path for path in there - set(found) if listing.is_picture(path))
    remarks = [f"left out, as the table does not list them: {listing.named(unlisted)}"] if unlisted else []
    listed = list(found.values())
    _require_all_or_no_splits(listed)
    classes = listing.classes({entry.label for entry in listed}, root / options.table)
    return listing.Listing(classes, listed, faults, remarks)


def _rows(root: Path, options: Options) -> pd.DataFrame:
    """Read the table's columns file, label, split and group as text; "" where there is nothing."""
    path = root / options.table
    if not path.is_file():
        tables = [each for each, _ in listing.walk(root) if PurePosixPath(each).suffix.lower() in READERS]
        raise errors.unknown("table", options.table, tables or ["(no table is there)"])
    try:
        table = READERS[path.suffix.lower()](path)
    except (ValueError, OSError, pd.errors.ParserError) as error:
        reason = str(error).splitlines()[0]
        raise errors.BadInput(
            f"{path}: expected a table as its suffix says, received another: {reason}"
        ) from error
    columns = {}
    for role, name in options.columns.model_dump().items():
        if name is not None and name not in table:
            raise errors.BadInput(f"download.dataset.columns.{role}: {errors.unknown('column', name, table)}")
        columns[role] = [_text(value) for value in table[name]] if name is not None else [""] * len(table)
    columns["split"] = [_split(text, path) for text in columns["split"]]
    return pd.DataFrame(columns)[["file", "label", "split", "group"]]


def _text(value: object) -> str:
    """Return a cell as text; whole numbers have no decimals, and nothing is empty."""
    if value is None or value != value:  # NaN differs from itself
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip()


def _split(text: str, path: Path) -> str:
    if text and text.casefold() not in listing.SPLITS:
        raise errors.BadInput(f"{path}: {errors.unknown('split', text, listing.SPLITS)}")
    return listing.SPLITS[text.casefold()] if text else ""


def _add(found: dict[str, listing.Entry], entry: listing.Entry) -> None:
    other = found.setdefault(entry.path, entry)
    if other != entry:
        raise errors.BadInput(
            f"expected each file under one class, split and group, found {entry.path} under"
            f" {', '.join(other[1:])} and {', '.join(entry[1:])}; correct the table"
        )


def _require_all_or_no_splits(listed: list[listing.Entry]) -> None:
    if without := [entry.path for entry in listed if not entry.split]:
        if len(without) < len(listed):
            raise errors.BadInput(
                f"expected a split in every row or in none, found none for {listing.named(without)}"
            )
    if listed and all(entry.split not in ("", "train") for entry in listed):
        raise errors.BadInput("expected rows of the split train, found none")
