"""Unpack an archive of pictures once, into the cache of downloads."""

import shutil
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO

from stages.running import disk, errors, progress
from stages.sources import archives, cache, checksums, listing


def folder(archive: Path) -> Path:
    """Return a folder with the files of a zip or tar; it is unpacked unless it has been before.

    The folder's name is the archive's SHA-256, so that a changed archive has another one. Nothing is written
    beside the archive.

    Raises:
        errors.BadInput: the file is no archive, is damaged, or has members that lie outside of it, are links
            or devices, or unpack to far more than its size; or the disk has no room.
    """
    if not archives.is_archive(archive):
        raise errors.BadInput(f"expected a folder, a zip or a tar of pictures, received the file {archive}")
    place = cache.made("extracted") / checksums.of_file(archive, "sha256")
    if place.is_dir():
        return place
    with cache.scratch() as scratch:
        fresh = scratch / place.name
        fresh.mkdir()
        _unpack(archive, fresh)
        if not place.is_dir():
            fresh.rename(place)
    return place


def _unpack(archive: Path, target: Path) -> None:
    size, done = archive.stat().st_size, 0
    with (
        progress.bar(size, f"unpacking {archive.name}", "B", divisor=1024) as bar,
        archives.opened(archive) as members,
    ):
        for member in members:
            if not member.is_file:
                raise errors.BadInput(
                    f"{archive}: expected plain files, found '{listing.shown(member.name)}', which is a link"
                    " or a device; pack the files themselves"
                )
            path = target / _inside(member.name, archive)
            with member.open() as content:
                disk.require_space(target, member.size, "free some, or unpack the archive elsewhere")
                with _new(path) as file:
                    shutil.copyfileobj(content, file, archives.BLOCK)
            bar.update(member.place - done)
            done = member.place
        bar.update(size - done)


def _new(path: Path) -> IO[bytes]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("xb")
    except (FileExistsError, NotADirectoryError) as error:
        raise errors.BadInput(
            f"expected each member once, found two of the name {listing.shown(path.name)}"
        ) from error


def _inside(name: str, archive: Path) -> PurePosixPath:
    """Return a member's path below the folder that it is unpacked to."""
    path = PurePosixPath(name.replace("\\", "/"))
    has_root = path.is_absolute() or PureWindowsPath(name).drive
    if has_root or ".." in path.parts or not path.parts or "\0" in name:
        raise errors.BadInput(
            f"{archive}: expected members inside the archive, found '{listing.shown(name)}'"
        )
    return path
