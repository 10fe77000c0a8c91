"""What the report takes from a revision: plain files of bounded size that hold plain values.

Whoever proposes a change writes these files. So none is read through a link or beyond its limit, and the
values of a document are checked before anything walks through them.
"""

import json
import math
import os
import stat
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from stages.running import ellipsis, errors

PLAIN = "a plain file"
LARGEST = 32 << 20  # bytes of a file: 400,000 predictions with their paths
LARGEST_YAML = 256 << 10  # bytes; a larger file takes its parser more than a few seconds
LARGEST_HEADER = 4096  # bytes; every column costs pandas time
MOST_VALUES = 1_000_000  # in a document; what a YAML alias stands for counts each time
DEEPEST = 50  # mappings and lists inside each other
LARGEST_NUMBER = 2**63  # and larger whole numbers have no place in a table
RECEIVED = 200  # characters of a file or of a parser's complaint, in an error


class File(NamedTuple):
    """A file of a revision."""

    kind: str  # PLAIN, or what it is instead, in words
    size: int  # bytes
    read: Callable[[], bytes]


class Revision(NamedTuple):
    """The files of a revision by their paths below the project's folder.

    What is read is None where the revision has no such file. All readers raise errors.BadInput for a file
    that is not as this class reads it, with the name of the revision.
    """

    name: str  # in words
    find: Callable[[str], File | None]

    def content(self, path: str, largest: int = LARGEST) -> bytes | None:
        """Return the bytes of a plain file of at most `largest` bytes."""
        found = self.find(path)
        if found is None:
            return None
        if found.kind != PLAIN:
            raise self.fault(path, PLAIN, found.kind)
        if found.size > largest:
            raise self.fault(path, f"at most {largest:,} bytes", f"{found.size:,}")
        return found.read()

    def json(self, path: str) -> dict[str, Any] | None:
        """Return a JSON object of plain values."""
        return self._document(path, "a JSON object", json.loads, LARGEST)

    def yaml(self, path: str) -> dict[str, Any] | None:
        """Return a YAML mapping of plain values."""
        return self._document(
            path, "a YAML mapping", lambda text: YAML(typ="safe").load(BytesIO(text)), LARGEST_YAML
        )

    def table(self, path: str) -> pd.DataFrame | None:
        """Return a table of texts as they are: a class may be called NA."""
        content = self.content(path)
        if content is None:
            return None
        if len(content.partition(b"\n")[0]) > LARGEST_HEADER:
            raise self.fault(path, "a table", f"{content[:40]!r} and more in its first line")
        try:
            table = pd.read_csv(BytesIO(content), dtype=str, keep_default_na=False, na_filter=False)
        except ValueError as error:  # base of all that pandas raises for empty, ragged and undecodable files
            raise self.fault(path, "a table", f"{content[:40]!r}: {error}") from error
        if not isinstance(table.index, pd.RangeIndex):  # pandas takes surplus columns as names of the rows
            raise self.fault(path, "a table", f"more values than columns {list(table)[:9]}")
        return table

    def fault(self, path: str, expected: str, received: str) -> errors.BadInput:
        """Return the error for a file of this revision, in one line of bounded length."""
        said = ellipsis.cut(" ".join(received.split()), RECEIVED)
        return errors.BadInput(f"{path} of {self.name}: expected {expected}, received {said}")

    def _document(
        self, path: str, expected: str, parse: Callable[[bytes], Any], largest: int
    ) -> dict[str, Any] | None:
        content = self.content(path, largest)
        if content is None:
            return None
        try:
            value = parse(content)
        except (ValueError, YAMLError) as error:
            raise self.fault(path, expected, f"{content[:40]!r}: {error}") from error
        except RecursionError as error:
            raise self.fault(path, f"at most {DEEPEST} levels", "more") from error
        if not isinstance(value, dict):
            raise self.fault(path, expected, repr(content[:40]))
        if not_plain := _not_plain(value):
            raise self.fault(path, *not_plain)
        return value


def in_folder(folder: Path, name: str) -> Revision:
    """Return the files below a folder, which is `name` in words; no link is followed, not even below it."""
    folder = folder.resolve()

    def find(path: str) -> File | None:
        file = folder / path
        if not os.path.lexists(file):
            return None
        if os.path.realpath(file) != str(file):
            return File("a link", 0, bytes)
        status = file.lstat()
        return File(kind(status.st_mode), status.st_size, file.read_bytes)

    return Revision(name, find)


def kind(mode: int) -> str:
    """Return what a file of some mode is, in words."""
    if stat.S_ISREG(mode):
        return PLAIN
    return "a folder" if stat.S_ISDIR(mode) else "a device, a pipe or a socket"


def _not_plain(document: Any) -> tuple[str, str] | None:
    """Return what was expected and received instead of a plain value; None if all of them are plain."""
    level, values = [document], 0
    for _ in range(DEEPEST):
        values += len(level)
        below: list[Any] = []
        for value in level:
            if isinstance(value, dict | list):
                below += [*value.keys(), *value.values()] if isinstance(value, dict) else value
                if values + len(below) > MOST_VALUES:
                    return f"at most {MOST_VALUES:,} values", "more"
            elif isinstance(value, int):
                if abs(value) > LARGEST_NUMBER:
                    return "numbers of at most 64 bits", f"one of about {math.log2(abs(value)):.0f}"
            elif value is not None and not isinstance(value, str | float):
                return "numbers, texts, lists and mappings", type(value).__name__
        if not below:
            return None
        level = below
    return f"at most {DEEPEST} levels", "more"
