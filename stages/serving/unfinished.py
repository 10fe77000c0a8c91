"""Rows of an output that is not finished: a stopped command goes on after the last of them.

They are kept beside the output, as a line of JSON each after a line that says what they belong to.
"""

import contextlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

from stages.running import errors, outputs
from stages.serving import rows
from stages.sources import cache

Key = Mapping[str, str]  # what rows belong to, by its name in messages, such as "model": a digest


class Unfinished:
    """The kept rows of one output.

    Attributes:
        count: The number of rows there were when it was opened.
        remark: What became of the rows that were there, in words; "" if there were none.
    """

    def __init__(self, path: Path, key: Key, multiple: int):
        self._path = path
        self.count, end, self.remark = _usable(path, key, multiple)
        self._file: IO[bytes] = path.open("r+b" if end else "w+b")
        if end:
            self._file.truncate(end)
            self._file.seek(end)
        else:
            self._file.write(_line(dict(key)))

    def append(self, several: list[rows.Row]) -> None:
        """Keep some more rows, in the file itself when this returns."""
        self._file.write(b"".join(map(_line, several)))
        self._file.flush()

    def rows(self) -> Iterator[rows.Row]:
        """Yield all rows that are kept."""
        with self._path.open("rb") as file:
            next(file)
            yield from map(json.loads, file)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


@contextlib.contextmanager
def opened(output: Path, key: Key, multiple: int) -> Iterator[Unfinished]:
    """Open the kept rows of an output, for use in a `with` statement; they are removed when it succeeds.

    Rows that belong to something else are dropped, and so is what follows a damaged row.

    Args:
        output: The file that will hold all rows; its folder is made.
        key: What the rows belong to.
        multiple: The number of rows to go on after is a multiple of this.

    Raises:
        errors.BadInput: another process writes the same output, or something else is in the rows' place.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    path = output.with_name(f".partial-{output.name}.rows")
    outputs.require_replaceable(path)
    with tempfile.TemporaryFile(dir=output.parent):  # a lock says nothing of a folder that cannot be written
        pass
    with cache.locked(path.with_suffix(".lock"), blocking=False) as is_free:
        if not is_free:
            raise errors.BadInput(f"expected nobody else to write {output}, found another process that does")
        kept = Unfinished(path, key, multiple)
        try:
            yield kept
        finally:
            kept.close()
        path.unlink()


def _usable(path: Path, key: Key, multiple: int) -> tuple[int, int, str]:
    """Return how many rows can be kept, where they end (in bytes; 0 keeps nothing), and a remark."""
    if not path.is_file():
        return 0, 0, ""
    with path.open("rb") as file:
        if (found := _parsed(first := file.readline())) != dict(key):
            before = found if isinstance(found, dict) else {}
            changed = [name for name, value in key.items() if before.get(name) != value]
            return 0, 0, f"starts anew, as these have changed since it was stopped: {', '.join(changed)}"
        count, place = 0, len(first)
        end = place
        for line in file:
            if not isinstance(_parsed(line), list):
                break
            count, place = count + 1, place + len(line)
            if count % multiple == 0:
                end = place
    count -= count % multiple
    return count, end, f"goes on after {count:,} rows that are kept" if count else ""


def _line(value: object) -> bytes:
    return json.dumps(value).encode() + b"\n"


def _parsed(line: bytes) -> object:
    """Return the value of a line; None of one that is damaged or has no end."""
    if not line.endswith(b"\n"):
        return None
    try:
        return json.loads(line)
    except ValueError:
        return None
