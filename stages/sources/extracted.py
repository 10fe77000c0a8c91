"""Unpack an archive of pictures once, into the cache of downloads."""

import bz2
import contextlib
import errno
import gzip
import lzma
import shutil
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, Any, NamedTuple

from stages.running import disk, errors, progress
from stages.sources import archives, cache, checksums

LARGEST_RATIO = 200  # of the unpacked bytes to the archive's; pictures hardly shrink
SMALL = 1 << 28  # bytes that any archive may unpack to
MOST_MEMBERS = 10_000_000
BLOCK = 1 << 20  # bytes
COMPRESSED: dict[bytes, Callable[..., Any]] = {  # by the first bytes
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ": lzma.open,
}
# Of system calls, for names that are too long and places before a file; those of damaged bzip2 have none.
DAMAGE_CODES = (None, errno.EINVAL, errno.ENAMETOOLONG)


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
        except (*archives.DAMAGE, RuntimeError, NotImplementedError, OSError, ValueError) as error:
            if isinstance(error, errors.StageError):
                raise
            if isinstance(error, OSError) and error.errno not in DAMAGE_CODES:
                raise
            raise errors.BadInput(f"{archive} is corrupt, truncated or encrypted: {error}") from error
        if not place.is_dir():
            fresh.rename(place)
    return place


def is_archive(path: Path) -> bool:
    """True if a file is a zip or a tar, by its content."""
    return path.is_file() and (zipfile.is_zipfile(path) or _is_tar(path))


def _is_tar(path: Path) -> bool:
    try:
        with path.open("rb") as file, _decompressed(file) as plain:
            tarfile.TarInfo.frombuf(plain.read(tarfile.BLOCKSIZE), "utf-8", "surrogateescape")
    except (*archives.DAMAGE, OSError):
        return False
    return True


def _decompressed(file: IO[bytes]) -> Any:
    """Return a context with the content of a file that may be compressed."""
    start = file.read(max(map(len, COMPRESSED)))
    file.seek(0)
    for first, opener in COMPRESSED.items():
        if start.startswith(first):
            return opener(file)
    return contextlib.nullcontext(file)


class _Bounded:
    """A file of which only so much is read: headers of a tar can be as large as its files."""

    def __init__(self, file: IO[bytes], most: int, too_much: errors.BadInput):
        self.file, self.most, self.too_much = file, most, too_much
        self.tell = file.tell

    def read(self, size: int) -> bytes:
        self._require_within(self.file.tell() + size)
        return self.file.read(size)

    def seek(self, place: int) -> int:
        self._require_within(place)
        return self.file.seek(place)

    def _require_within(self, end: int) -> None:
        if end > self.most:
            raise self.too_much


def _unpack(archive: Path, target: Path) -> None:
    size = archive.stat().st_size
    left = max(SMALL, LARGEST_RATIO * size)
    too_much = errors.BadInput(
        f"{archive}: expected at most {left:,} bytes in an archive of {size:,}, found more; if you trust it,"
        " unpack it yourself and name the folder"
    )
    with progress.bar(size, f"unpacking {archive.name}", "B", divisor=1024) as bar:
        members = _zip_members(archive, bar) if zipfile.is_zipfile(archive) else None
        for number, member in enumerate(members or _tar_members(archive, bar, left, too_much)):
            if member.size > left or number >= MOST_MEMBERS:
                raise too_much
            disk.require_space(target, member.size, "free some, or unpack the archive elsewhere")
            _write(member, target / _inside(member.name, archive))
            left -= member.size


def _write(member: Member, path: Path) -> None:
    """Write a member's content; it has at most the bytes that the archive says."""
    with _new(path) as file:
        shutil.copyfileobj(member.content, file, BLOCK)


def _new(path: Path) -> IO[bytes]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("xb")
    except (FileExistsError, NotADirectoryError) as error:
        raise errors.BadInput(f"expected each member once, found two of the name {path.name}") from error


def _inside(name: str, archive: Path) -> PurePosixPath:
    """Return a member's path below the folder that it is unpacked to."""
    path = PurePosixPath(name.replace("\\", "/"))
    has_root = path.is_absolute() or PureWindowsPath(name).drive
    if has_root or ".." in path.parts or not path.parts or "\0" in name:
        raise errors.BadInput(f"{archive}: expected members inside the archive, found {name!r}")
    return path


def _zip_members(archive: Path, bar: progress.Bar) -> Iterator[Member]:
    with zipfile.ZipFile(archive) as opened:
        for entry in opened.infolist():
            if stat.S_ISLNK(entry.external_attr >> 16):
                raise _no_link(archive, entry.filename)
            if not entry.filename.endswith(("/", "\\")):  # folders, the latter of programs on Windows
                with opened.open(entry) as content:
                    yield Member(entry.filename, entry.file_size, content)
                bar.update(entry.compress_size)


def _tar_members(archive: Path, bar: progress.Bar, most: int, too_much: errors.BadInput) -> Iterator[Member]:
    done = 0
    with archive.open("rb") as file, _decompressed(file) as plain:
        bounded: Any = _Bounded(plain, most, too_much)
        opened: Any = tarfile.open(fileobj=bounded, mode="r:")
        while entry := opened.next():
            opened.members.clear()  # or they would all be kept
            content = opened.extractfile(entry) if entry.isfile() else None
            if content is not None:
                yield Member(entry.name, entry.size, content)
            elif not entry.isdir():
                raise _no_link(archive, entry.name)
            bar.update(file.tell() - done)
            done = file.tell()
        bounded.seek(opened.offset)
        if bounded.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            raise tarfile.ReadError("it has no end, or a damaged member")  # tarfile would take it for whole
        while bounded.read(tarfile.BLOCKSIZE):  # what is compressed has its checksum at the end
            pass


def _no_link(archive: Path, name: str) -> errors.BadInput:
    return errors.BadInput(
        f"{archive}: expected plain files, found {name!r}, which is a link or a device; pack the files"
        " themselves"
    )
