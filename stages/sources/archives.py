"""Read a folder or an archive of any kind as a sequence of named files."""

import gzip
import lzma
import shutil
import subprocess
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from stages.running import errors

DAMAGE = (tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, lzma.LZMAError, EOFError)

_ARCHIVE_SUFFIXES = {".tar", ".tgz", ".tbz2", ".txz", ".zip"}


def members(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield (file name without folders, content) of every file below a folder or in an archive.

    `path` may be a folder, a tar (plain or compressed), a zip, a Debian package or a single file. A `.gz`
    file that is not a tar is decompressed and loses its suffix, also inside a folder or an archive.

    Raises:
        errors.BadInput: nothing is there, or the archive is corrupt or truncated.
    """
    if not path.exists():
        raise errors.BadInput(f"expected a file or folder at {path}, found nothing")
    try:
        for name, content in _raw_members(path):
            if name.endswith(".gz"):
                name, content = name.removesuffix(".gz"), gzip.decompress(content)
            yield name, content
    except DAMAGE as error:
        raise errors.BadInput(f"{path} is corrupt or truncated: {error}") from error
    except OSError as error:
        if error.errno is not None:  # an error of the system; that of a damaged bzip2 stream has no errno
            raise
        raise errors.BadInput(f"{path} is corrupt or truncated: {error}") from error


def _raw_members(path: Path) -> Iterator[tuple[str, bytes]]:
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            if file.is_file():
                yield file.name, file.read_bytes()
    elif path.suffix == ".deb":
        yield from _debian_members(path)
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                if not entry.is_dir():
                    yield Path(entry.filename).name, archive.read(entry)
    elif tarfile.is_tarfile(path):
        with tarfile.open(path) as archive:
            yield from _tar_members(archive)
    elif _ARCHIVE_SUFFIXES & set(path.suffixes):
        raise errors.BadInput(f"{path} is corrupt or truncated: it is not the archive that its name says")
    else:
        yield path.name, path.read_bytes()


def _debian_members(path: Path) -> Iterator[tuple[str, bytes]]:
    if not shutil.which("dpkg-deb"):
        raise errors.BadInput(f"{path} is a Debian package; unpacking it needs the program dpkg-deb")
    command = ["dpkg-deb", "--fsys-tarfile", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as unpacking:
        with tarfile.open(fileobj=unpacking.stdout, mode="r|") as archive:
            yield from _tar_members(archive)


def _tar_members(archive: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    for entry in archive:
        if content := archive.extractfile(entry) if entry.isfile() else None:
            yield Path(entry.name).name, content.read()
