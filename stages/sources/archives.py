"""Read the files in folders and archives: only those that are asked for, and never too much."""

import bz2
import contextlib
import errno
import functools
import gzip
import lzma
import shutil
import stat
import struct
import subprocess
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

from stages.running import errors
from stages.sources import listing

LARGEST_RATIO = 200  # of the unpacked bytes to the archive's; pictures hardly shrink
SMALL = 1 << 28  # bytes that any archive may unpack to
MOST_MEMBERS = 10_000_000
BLOCK = 1 << 20  # bytes
COMPRESSED: dict[bytes, Callable[..., Any]] = {  # by the first bytes
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ": lzma.open,
}
DAMAGE = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError),
    *(ArithmeticError, LookupError, RuntimeError, ValueError),
)
# Of system calls, for names that are too long and places before a file; those of damaged bzip2 have none.
DAMAGE_CODES = (None, errno.EINVAL, errno.ENAMETOOLONG)

_ARCHIVE_SUFFIXES = {".tar", ".tgz", ".tbz2", ".txz", ".zip"}


class Member(NamedTuple):
    """What an archive has under a name, but for folders."""

    name: str
    size: int  # bytes, as the archive says
    is_file: bool  # False: a link, a device or a pipe
    place: int  # bytes of the archive before its content
    open: Callable[[], IO[bytes]]  # to be called before the next member is asked for


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Iterator[Member]]:
    """Open a zip, a tar or a Debian package, for use in a `with` statement that gives its members in order.

    A member's content is read only if it is opened. What is read, headers included, may be `SMALL` bytes, or
    `LARGEST_RATIO` times the archive's size.

    Raises:
        errors.BadInput: the archive is damaged or encrypted, holds far more than its size, or needs a program
            that is not installed. This is raised for all that the block reads, too.
    """
    with _damage_of(path):
        yield _members(path)


def members(path: Path, most: int | None = None) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Yield every file below a folder or in an archive: its name without folders, and what reads it.

    A `.gz` file that is not a tar is decompressed and loses its suffix, also inside a folder or an archive.
    A file is to be read before the next one is asked for.

    Args:
        path: A folder, a tar (plain or compressed), a zip, a Debian package or a single file.
        most: The bytes of the largest file that is read; None for the limits of `opened`.

    Raises:
        errors.BadInput: nothing is there, or see `opened`; or a file that is read has more bytes.
    """
    if not (path.is_dir() or path.is_file()):
        raise errors.BadInput(f"expected a file or folder at {path}, found nothing, or something else")
    for name, content in _files(path):
        yield name.removesuffix(".gz"), _reader(path, name, content, most or limit(path))


def is_archive(path: Path) -> bool:
    """True if a file is a zip or a tar, by its content."""
    return path.is_file() and (_is_tar(path) or zipfile.is_zipfile(path))


def limit(path: Path) -> int:
    """Return how many bytes may be read of an archive, or of a single file that is compressed."""
    return max(SMALL, LARGEST_RATIO * path.stat().st_size)


@contextlib.contextmanager
def _damage_of(path: Path) -> Iterator[None]:
    """Turn what is raised for damaged archives into one error."""
    try:
        yield
    except errors.StageError:
        raise
    except (*DAMAGE, OSError) as error:
        if isinstance(error, OSError) and error.errno not in DAMAGE_CODES:
            raise
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise errors.BadInput(
            f"{path} is corrupt, truncated or encrypted: {listing.shown(str(reason))}"
        ) from error


def _files(path: Path) -> Iterator[tuple[str, Callable[[], IO[bytes]]]]:
    """Yield the name of each file and a function that opens it."""
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            if file.is_file():
                yield file.name, _opener(file)
    elif path.suffix == ".deb" or is_archive(path):
        with opened(path) as found:
            for member in found:
                if member.is_file:
                    yield Path(member.name).name, member.open
    elif _ARCHIVE_SUFFIXES & set(path.suffixes):
        raise errors.BadInput(
            f"{path} is corrupt, truncated or encrypted: it is not the archive that its name says"
        )
    else:
        yield path.name, _opener(path)


def _opener(path: Path) -> Callable[[], IO[bytes]]:
    return lambda: path.open("rb")


def _reader(path: Path, name: str, content: Callable[[], IO[bytes]], most: int) -> Callable[[], bytes]:
    def read() -> bytes:
        with _damage_of(path), content() as stored:
            with gzip.open(stored) if name.endswith(".gz") else contextlib.nullcontext(stored) as plain:
                data = plain.read(most + 1)
        if len(data) > most:
            raise errors.BadInput(
                f"{path}: expected at most {most:,} bytes in {listing.shown(name)}, found more"
            )
        return data

    return read


def _members(path: Path) -> Iterator[Member]:
    """Yield what is in an archive, and keep count of what is opened."""
    left = most = limit(path)
    too_much = errors.BadInput(
        f"{path}: expected at most {most:,} bytes in an archive of {path.stat().st_size:,}, found more; if"
        " you trust it, unpack it yourself and name the folder"
    )

    def counted(member: Member) -> IO[bytes]:
        nonlocal left
        left -= member.size
        if left < 0:
            raise too_much
        return member.open()

    if path.suffix == ".deb":
        found = _debian_members(path, most, too_much)
    else:
        found = _tar_members(path, most, too_much) if _is_tar(path) else _zip_members(path)
    for number, member in enumerate(found):
        if number >= MOST_MEMBERS:
            raise too_much
        yield member._replace(open=functools.partial(counted, member))


def _zip_members(path: Path) -> Iterator[Member]:
    with zipfile.ZipFile(path) as archive:
        place = 0
        for entry in archive.infolist():
            if not entry.filename.endswith(("/", "\\")):  # folders, the latter of programs on Windows
                is_file = not stat.S_ISLNK(entry.external_attr >> 16)
                opens = functools.partial(archive.open, entry)
                yield Member(entry.filename, entry.file_size, is_file, place, opens)
            place += entry.compress_size


def _tar_members(path: Path, most: int, too_much: errors.BadInput) -> Iterator[Member]:
    with path.open("rb") as file, _decompressed(file) as plain:
        yield from _members_of_tar(_Bounded(plain, most, too_much), file.tell)


def _debian_members(path: Path, most: int, too_much: errors.BadInput) -> Iterator[Member]:
    if not shutil.which("dpkg-deb"):
        raise errors.BadInput(f"{path} is a Debian package; unpacking it needs the program dpkg-deb")
    command = ["dpkg-deb", "--fsys-tarfile", str(path.absolute())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as unpacking:
        bounded = _Bounded(unpacking.stdout, most, too_much)
        yield from _members_of_tar(bounded, bounded.tell)


def _members_of_tar(file: Any, place: Callable[[], int]) -> Iterator[Member]:
    archive: Any = tarfile.open(fileobj=file, mode="r:")
    while entry := archive.next():
        archive.members.clear()  # or they would all be kept
        if not entry.isdir():
            opens = functools.partial(archive.extractfile, entry)
            yield Member(entry.name, entry.size, entry.isfile(), place(), opens)
    if file.last != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError("it has no end, or a damaged member")  # tarfile would take it for whole
    while file.read(tarfile.RECORDSIZE):  # what is compressed has its checksum at the end
        pass


class _Bounded:
    """A stream that is read forwards and only so far: headers of a tar can be as large as its files."""

    def __init__(self, file: Any, most: int, too_much: errors.BadInput):
        self.file, self.most, self.too_much = file, most, too_much
        self.position, self.last = 0, b""  # `last` is what was read last

    def tell(self) -> int:
        return self.position

    def read(self, size: int) -> bytes:
        self._require_within(self.position + size)
        self.last = self.file.read(size)
        self.position += len(self.last)
        return self.last

    def seek(self, place: int) -> int:
        self._require_within(place)
        if self.file.seekable():
            self.position = self.file.seek(place)
        while self.position < place and self.read(min(BLOCK, place - self.position)):
            pass
        return self.position

    def _require_within(self, end: int) -> None:
        if end > self.most:
            raise self.too_much


def _is_tar(path: Path) -> bool:
    try:
        with path.open("rb") as file, _decompressed(file) as plain:
            tarfile.TarInfo.frombuf(plain.read(tarfile.BLOCKSIZE), "utf-8", "surrogateescape")
    except (*DAMAGE, OSError):
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
