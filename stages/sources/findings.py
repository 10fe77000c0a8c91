"""What was found of picture files, kept in a database of the cache until the files change."""

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from stages.decoding import examine
from stages.running import errors
from stages.sources import cache

WAIT_SECONDS = 60  # for another process that saves what it has found
TABLE = "files (path BLOB PRIMARY KEY, size INTEGER, mtime_ns INTEGER, found TEXT) WITHOUT ROWID"


class Found(NamedTuple):
    """What was found of a file: its content's digest and facts, or a fault."""

    size: int  # bytes
    mtime_ns: int  # 0 if it says nothing: what is found is not kept then
    digest: str  # BLAKE2b of the file's bytes, 32 hexadecimal digits
    kind: str  # of the fault; "" if there is none
    detail: str
    facts: examine.Facts | None


class Findings:
    """What was found of the files below a folder, on disk; several processes can have it open."""

    def __init__(self, database: sqlite3.Connection):
        self.database = database
        self.unsaved: list[tuple[bytes, int, int, str]] = []
        self.current = 0  # findings that were asked for, or added

    def of(self, root: Path, paths: Iterable[str]) -> dict[str, Found]:
        """Return what was found of those files below a folder whose size and time of change are the same."""
        with self.database:
            self.database.execute("BEGIN")  # to lock the file once, and not for each path
            known = {path: found for path in paths if (found := self._of(os.path.join(root, path), path))}
        self.current += len(known)
        return known

    def _of(self, file: str, path: str) -> Found | None:
        try:
            status = os.stat(file)
        except OSError:
            return None
        key = os.fsencode(path), status.st_size, status.st_mtime_ns
        query = "SELECT found FROM files WHERE path = ? AND size = ? AND mtime_ns = ?"
        row = self.database.execute(query, key).fetchone()
        return _parsed(row[0], *key[1:]) if row else None

    def add(self, path: str, found: Found) -> None:
        """Note what was found, unless the file is missing or had been written just before it was read."""
        if found.mtime_ns > 0:
            text = json.dumps([found.digest, found.kind, found.detail, found.facts])
            self.unsaved.append((os.fsencode(path), found.size, found.mtime_ns, text))
            self.current += 1

    def save(self) -> None:
        """Write what was added to the disk."""
        with self.database:
            self.database.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)", self.unsaved)
        self.unsaved.clear()

    def forget_others(self, paths: Iterable[str]) -> None:
        """Forget what was found of all other files."""
        if self.database.execute("SELECT count(*) FROM files").fetchone() == (self.current,):
            return
        with self.database:
            self.database.execute("CREATE TEMP TABLE listed (path BLOB PRIMARY KEY) WITHOUT ROWID")
            keys = ((os.fsencode(path),) for path in paths)
            self.database.executemany("INSERT OR IGNORE INTO listed VALUES (?)", keys)
            self.database.execute("DELETE FROM files WHERE path NOT IN listed")


def _parsed(text: str, size: int, mtime_ns: int) -> Found | None:
    """Return what was found as it was kept; None if it is damaged."""
    try:
        digest, kind, detail, facts = json.loads(text)
        return Found(size, mtime_ns, digest, kind, detail, facts and examine.Facts(*facts))
    except (TypeError, ValueError):
        return None


@contextlib.contextmanager
def opened(place: Path) -> Iterator[Findings]:
    """Open findings, for use in a `with` statement; a damaged file is as good as none.

    Raises:
        errors.BadInput: the file cannot be read or written.
    """
    try:
        with contextlib.closing(_database(place)) as database:
            yield Findings(database)
    except sqlite3.Error as error:
        raise errors.BadInput(
            f"{place}: what is found of pictures cannot be kept there: {error}; remove it, or {cache.REMEDY}"
        ) from error


def _database(place: Path) -> sqlite3.Connection:
    database = sqlite3.connect(place, WAIT_SECONDS)
    try:
        if database.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            raise sqlite3.DatabaseError("damaged")
        database.execute(f"CREATE TABLE IF NOT EXISTS {TABLE}")
        return database
    except sqlite3.OperationalError:  # it may be whole, and in use, or the disk full
        database.close()
        raise
    except sqlite3.DatabaseError:
        database.close()
        for path in (place, place.with_name(place.name + "-journal")):
            path.unlink(missing_ok=True)
        return _database(place)
