"""Examine picture files once: what was found is kept in the cache until a file changes."""

import csv
import hashlib
import stat
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import NamedTuple

import PIL

from stages.decoding import examine, picture
from stages.running import ahead, outputs, progress
from stages.sources import cache

VERSION = 1  # of what is kept; a change of `examine` that changes its facts raises it
LARGEST_FILE = 1 << 30  # bytes
SAVED_SECONDS = 60  # between two savings of what has been found
RECENT_NS = 2_000_000_000  # a file that was written so shortly ago may change without another time


class Found(NamedTuple):
    """What was found of a file: its content's digest and facts, or a fault."""

    size: int  # bytes
    mtime_ns: int  # 0 if it says nothing: what is found is not kept then
    digest: str  # BLAKE2b of the file's bytes, 32 hexadecimal digits
    kind: str  # of the fault; "" if there is none
    detail: str
    facts: examine.Facts | None


def files(root: Path, paths: Sequence[str], max_pixels: int) -> Generator[Found, None, None]:
    """Examine files below a folder, in parallel, and yield what was found in their order.

    What is known of a file is taken from the cache if its size and time of change are the same. The cache is
    saved every minute, so that an interrupted examination goes on where it was.

    Args:
        root: The folder; nothing is written there.
        paths: The files, below the folder.
        max_pixels: A picture with more pixels is faulty.
    """
    place = _place(root, max_pixels)
    known = _read(place)
    unchanged = {path for path in paths if path in known and _is_unchanged(root / path, known[path])}
    others = [root / path for path in paths if path not in unchanged]
    examined = ahead.mapped(lambda path: _examine(path, max_pixels), others)
    found: dict[str, Found] = {}
    saved = time.monotonic()
    try:
        with progress.bar(len(paths), "checking pictures", "files") as bar:
            for path in paths:
                found[path] = one = known[path] if path in unchanged else next(examined)
                bar.update(1)
                yield one
                if time.monotonic() - saved > SAVED_SECONDS:
                    _write(place, known | found)
                    saved = time.monotonic()
    finally:
        examined.close()
        if found != known:
            _write(place, found if len(found) == len(paths) else known | found)


def digest(content: bytes) -> str:
    """Return the digest of a file's bytes, 32 hexadecimal digits."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _is_unchanged(path: Path, earlier: Found) -> bool:
    try:
        status = path.stat()
    except OSError:
        return False
    return (earlier.size, earlier.mtime_ns) == (status.st_size, status.st_mtime_ns)


def _examine(path: Path, max_pixels: int) -> Found:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            return _faulty(0, 0, "", "not_a_file", "expected a file, found a device, a pipe or a socket")
        settled = time.time_ns() - RECENT_NS
        mtime_ns = status.st_mtime_ns if status.st_mtime_ns < settled else 0
        if status.st_size > LARGEST_FILE:
            detail = f"expected a file of at most {LARGEST_FILE:,} bytes, received {status.st_size:,}"
            return _faulty(status.st_size, mtime_ns, "", "too_large", detail)
        content = path.read_bytes()
    except OSError as error:
        kind = "missing" if isinstance(error, FileNotFoundError) else "unreadable"
        return _faulty(0, 0, "", kind, f"cannot be read: {error.strerror}")
    of_content = digest(content)
    try:
        facts = examine.examine(path.name, content, max_pixels)
    except picture.Fault as fault:
        return _faulty(len(content), mtime_ns, of_content, fault.kind, str(fault))
    return Found(len(content), mtime_ns, of_content, "", "", facts)


def _faulty(size: int, mtime_ns: int, of_content: str, kind: str, detail: str) -> Found:
    return Found(size, mtime_ns, of_content, kind, detail, None)


def _place(root: Path, max_pixels: int) -> Path:
    """Return the file of the cache for a folder and a way to examine."""
    key = "\0".join(map(str, (root.resolve(), VERSION, max_pixels, PIL.__version__)))
    return cache.made("examined") / f"{digest(key.encode(errors='surrogateescape'))}.csv"


def _write(place: Path, found: dict[str, Found]) -> None:
    """Save what is known, but for files that are missing or had been written just before they were read."""
    with (
        outputs.file(place) as partial,
        partial.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        rows = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
        for path, one in found.items():
            if one.mtime_ns > 0:
                rows.writerow([path, *one[:-1], *(one.facts or ())])


def _read(place: Path) -> dict[str, Found]:
    """Read what is known; a damaged file is as good as none."""
    if not place.is_file():
        return {}
    known = {}
    types = examine.Facts.__annotations__.values()
    try:
        with place.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            for path, size, mtime_ns, of_content, kind, detail, *rest in csv.reader(file, strict=True):
                facts = (
                    None if kind else examine.Facts(*(of(text) for of, text in zip(types, rest, strict=True)))
                )
                known[path] = Found(int(size), int(mtime_ns), of_content, kind, detail, facts)
    except (ValueError, csv.Error):
        return {}
    return known
