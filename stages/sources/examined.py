"""Examine picture files once: what was found is kept in the cache until a file changes."""

import contextlib
import hashlib
import stat
import time
from collections.abc import Generator, Sequence
from pathlib import Path

import PIL

from stages.decoding import examine, picture
from stages.running import ahead, progress
from stages.sources import cache, findings

VERSION = 2  # of what is kept; a change of `examine` that changes its facts raises it
LARGEST_FILE = 1 << 30  # bytes
SAVED_SECONDS = 60  # between two savings of what has been found
RECENT_NS = 2_000_000_000  # a file that was written so shortly ago may change without another time
CHUNK = 4096  # files of which what was found is in memory at a time


def files(root: Path, paths: Sequence[str], max_pixels: int) -> Generator[findings.Found, None, None]:
    """Examine files below a folder, in parallel, and yield what was found in their order.

    What is known of a file is taken from the cache if its size and time of change are the same. The cache is
    saved every minute, so that an interrupted examination goes on where it was.

    Args:
        root: The folder; nothing is written there.
        paths: The files, below the folder.
        max_pixels: A picture with more pixels is faulty.
    """
    with (
        findings.opened(_place(root, max_pixels)) as kept,
        progress.bar(len(paths), "checking pictures", "files") as bar,
    ):
        for start in range(0, len(paths), CHUNK):
            chunk = paths[start : start + CHUNK]
            with contextlib.closing(_chunk(root, chunk, max_pixels, kept)) as found:
                yield from progress.counted(found, bar)
        kept.forget_others(paths)


def _chunk(
    root: Path, paths: Sequence[str], max_pixels: int, kept: findings.Findings
) -> Generator[findings.Found, None, None]:
    known = kept.of(root, paths)
    others = [root / path for path in paths if path not in known]
    examined = ahead.mapped(lambda path: _examine(path, max_pixels), others)
    saved = time.monotonic()
    try:
        for path in paths:
            if path in known:
                yield known[path]
                continue
            one = next(examined)
            kept.add(path, one)
            yield one
            if time.monotonic() - saved > SAVED_SECONDS:
                kept.save()
                saved = time.monotonic()
    finally:
        examined.close()
        kept.save()


def digest(content: bytes) -> str:
    """Return the digest of a file's bytes, 32 hexadecimal digits."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _examine(path: Path, max_pixels: int) -> findings.Found:
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
    return findings.Found(len(content), mtime_ns, of_content, "", "", facts)


def _faulty(size: int, mtime_ns: int, of_content: str, kind: str, detail: str) -> findings.Found:
    return findings.Found(size, mtime_ns, of_content, kind, detail, None)


def _place(root: Path, max_pixels: int) -> Path:
    """Return the file of the cache for a folder and a way to examine."""
    key = "\0".join(map(str, (root.resolve(), VERSION, max_pixels, PIL.__version__)))
    return cache.made("examined") / f"{digest(key.encode(errors='surrogateescape'))}.sqlite"
