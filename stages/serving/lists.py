"""Names of files from a table, or from a list on standard input."""

import os
import sys
import unicodedata
from pathlib import Path

from stages.datasets import table
from stages.running import errors


def is_table(path: Path) -> bool:
    """True if a file's name ends like that of a table that can be read."""
    return path.suffix.lower() in table.READERS


def of_standard_input() -> list[str]:
    """Read names of files, one per line; if there are null characters, they separate the names instead.

    Raises:
        errors.BadInput: there are none.
    """
    text = sys.stdin.buffer.read() if sys.stdin else b""
    parts = text.split(b"\0") if b"\0" in text else text.splitlines()
    if not (names := [os.fsdecode(part) for part in parts if part.strip()]):
        raise errors.BadInput("expected names of files on standard input, one per line, found none")
    return names


def of_table(path: Path, column: str) -> list[str]:
    """Read names of files, relative to the folder of the table, from one of its columns.

    Raises:
        errors.BadInput: the file is no such table or has no rows, has no such column, or a row has no name.
    """
    columns, found = table.columns_of(path, [column])
    if column not in columns:
        raise errors.BadInput(f"{path}: {errors.unknown('column', column, columns)} Name it with --column")
    if not found[column]:
        raise errors.BadInput(f"{path}: expected a row per picture, found none")
    return [_beside(path, name, number) for number, name in enumerate(found[column], start=1)]


def _beside(path: Path, name: object, number: int) -> str:
    if not isinstance(name, str) or not name.strip():
        raise errors.BadInput(f"{path}: expected the name of a file in row {number}, received {name!r:.40}")
    file = path.parent / name.strip().replace("\\", "/")
    # Systems write accents in one of two ways.
    forms = [file, *(Path(unicodedata.normalize(form, str(file))) for form in ("NFC", "NFD"))]
    return str(next(filter(_is_there, forms), file))


def _is_there(file: Path) -> bool:
    try:
        return file.exists()
    except (OSError, ValueError):
        return False
