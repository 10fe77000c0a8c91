"""Unpack an archive of pictures once, into the cache of downloads."""

import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from stages.running import disk, errors, progress
from stages.sources import archives, cache, checksums

LARGEST_RATIO = 200  # of the unpacked bytes to the archive's; pictures hardly shrink
SMALL = 1 << 28  # bytes that any archive may unpack to
MOST_MEMBERS = 10_000_000
BLOCK = 1 << 20  # bytes


class Member(NamedTuple):
    """A file in an archive."""

    name: str
    size: int  # bytes, as the archive says
    content: IO[bytes]


def folder(archive: Path) -> Path:
    """Return a folder with the files of a zip or tar; it is unpacked unless it has been before.

    The folder's name is the archive's SHA-256, so that a changed archive has another one. Nothing is written
    beside the archive.

    Raises:
        errors.BadInput: the file is no archive, is damaged, or has members that lie outside of it, are links
            or devices, or unpack to far more than its size; or the disk has no room.
    """
    if not is_archive(archive):
        raise errors.BadInput(f"expected a folder, a zip or a tar of pictures, received the file {archive}")
    place = cache.made("extracted") / checksums.of_file(archive, "sha256")
    if place.is_dir():
        return place
    with tempfile.TemporaryDirectory(dir=cache.made(), prefix="unpacking-") as scratch:
        fresh = Path(scratch) / place.name
        fresh.mkdir()
        try:
            _unpack(archive, fresh)
        except (*archives.DAMAGE, RuntimeError, NotImplementedError, ValueError) as error:
            if isinstance(error, errors.StageError):
                raise
            raise errors.BadInput(f"{archive} is corrupt, truncated or encrypted: {error}") from error
        if not place.is_dir():
            fresh.rename(place)
    return place


def is_archive(path: Path) -> bool:
    """True if a file is a zip or a tar, by its content."""
    return path.is_file() and (zipfile.is_zipfile(path) or tarfile.is_tarfile(path))


def _unpack(archive: Path, target: Path) -> None:
    size = archive.stat().st_size
    left = max(SMALL, LARGEST_RATIO * size)
    too_much = errors.BadInput(
        f"{archive}: expected at most {left:,} bytes in an archive of {size:,}, found more; if you trust it,"
        " unpack it yourself and name the folder"
    )
    with progress.bar(size, f"unpacking {archive.name}", "B", divisor=1024) as bar:
        for number, member in enumerate(_members(archive, bar)):
            if member.size > left or number >= MOST_MEMBERS:
                raise too_much
            disk.require_space(target, member.size, "free some, or unpack the archive elsewhere")
            left -= _write(member, target / _inside(member.name, archive), left, too_much)


def _write(member: Member, path: Path, most: int, too_much: errors.BadInput) -> int:
    """Write a member's content, at most so many bytes; return their number."""
    written = 0
    with _new(path) as file:
        while block := member.content.read(BLOCK):
            written += len(block)
            if written > most:
                raise too_much
            file.write(block)
    return written


def _new(path: Path) -> IO[bytes]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("xb")
    except (FileExistsError, NotADirectoryError) as error:
        raise errors.BadInput(f"expected each member once, found two of the name {path.name}") from error


def _inside(name: str, archive: Path) -> PurePosixPath:
    """Return a member's path below the folder that it is unpacked to."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or not path.parts or ":" in path.parts[0] or "\0" in name:
        raise errors.BadInput(f"{archive}: expected members inside the archive, found {name!r}")
    return path


def _members(archive: Path, bar: progress.Bar) -> Iterator[Member]:
    return _zip_members(archive, bar) if zipfile.is_zipfile(archive) else _tar_members(archive, bar)


def _zip_members(archive: Path, bar: progress.Bar) -> Iterator[Member]:
    with zipfile.ZipFile(archive) as opened:
        for entry in opened.infolist():
            if stat.S_ISLNK(entry.external_attr >> 16):
                raise _no_link(archive, entry.filename)
            if not entry.is_dir():
                with opened.open(entry) as content:
                    yield Member(entry.filename, entry.file_size, content)
                bar.update(entry.compress_size)


def _tar_members(archive: Path, bar: progress.Bar) -> Iterator[Member]:
    done = 0
    with archive.open("rb") as file, tarfile.open(fileobj=file, mode="r:*") as opened:
        for entry in opened:
            content = opened.extractfile(entry) if entry.isfile() else None
            if content is not None:
                yield Member(entry.name, entry.size, content)
            elif not entry.isdir():
                raise _no_link(archive, entry.name)
            bar.update(file.tell() - done)
            done = file.tell()


def _no_link(archive: Path, name: str) -> errors.BadInput:
    return errors.BadInput(
        f"{archive}: expected plain files, found {name!r}, which is a link or a device; pack the files"
        " themselves"
    )
