"""What the report takes from a revision: plain files of bounded size that hold plain values.

Whoever proposes a change writes these files. So none is read through a link or beyond its limit, and the
values of a document are checked before anything walks through them.
"""

import os
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from stages.running import documents, ellipsis, errors

LARGEST_HEADER = 4096  # bytes; every column costs pandas time
RECEIVED = 200  # characters of what was received, in an error


class File(NamedTuple):
    """A file of a revision."""

    kind: str  # documents.PLAIN_FILE, or what it is instead, in words
    size: int  # bytes
    read: Callable[[], bytes]


class Revision(NamedTuple):
    """The files of a revision by their paths below the project's folder.

    What is read is None where the revision has no such file. All readers raise errors.BadInput for a file
    that is not as this class reads it, with the name of the revision.
    """

    name: str  # in words
    find: Callable[[str], File | None]

    def content(self, path: str, largest: int = documents.LARGEST) -> bytes | None:
        """Return the bytes of a plain file of at most `largest` bytes."""
        found = self.find(path)
        if found is None:
            return None
        if found.kind != documents.PLAIN_FILE:
            raise self.fault(path, documents.PLAIN_FILE, found.kind)
        if found.size > largest:
            raise self.fault(path, f"at most {largest:,} bytes", f"{found.size:,}")
        return found.read()

    def json(self, path: str) -> dict[str, Any] | None:
        """Return a JSON object of plain values."""
        return self._document(path, documents.parse_json, documents.LARGEST)

    def yaml(self, path: str) -> dict[str, Any] | None:
        """Return a YAML mapping of plain values."""
        return self._document(path, documents.parse_yaml, documents.LARGEST_YAML)

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
        self, path: str, parse: Callable[[bytes], dict[str, Any]], largest: int
    ) -> dict[str, Any] | None:
        content = self.content(path, largest)
        try:
            return None if content is None else parse(content)
        except documents.Unfit as unfit:
            raise self.fault(path, unfit.expected, unfit.received) from unfit


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
        return File(documents.kind(status.st_mode), status.st_size, file.read_bytes)

    return Revision(name, find)
