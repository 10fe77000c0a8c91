"""The cache of downloads, in which fetched files outlive the stage that fetched them."""

import contextlib
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import filelock
import platformdirs

from stages.running import errors

NAME = "IMAGE_PIPELINE_CACHE"  # the environment variable that moves the cache
REMEDY = f"set {NAME} to a folder that you can write"
OLD_SECONDS = 30 * 24 * 3600  # what waits to be gone on with is removed when nobody has for so long


def folder() -> Path:
    """Return the cache's folder: $IMAGE_PIPELINE_CACHE, or a folder for this project in the user's cache.

    Raises:
        errors.BadInput: the user has no home folder for the cache.
    """
    if named := os.environ.get(NAME):
        return Path(named)
    try:
        place = platformdirs.user_cache_path("image-classification-pipeline").expanduser()
    except RuntimeError as error:  # the system does not know the user
        found_none = "expected a home folder for the cache of downloads, found none"
        raise errors.BadInput(f"{found_none}; {REMEDY}") from error
    return place


def made(*parts: str) -> Path:
    """Return a folder of the cache; make it if it is not there.

    Raises:
        errors.BadInput: the folder cannot be made or written, or see `folder`.
    """
    place = folder().joinpath(*parts)
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = f"the cache of downloads cannot be made at {place}: {error.strerror}"
        raise errors.BadInput(f"{why}; {REMEDY}") from error
    if not os.access(place, os.W_OK):
        raise errors.BadInput(f"the cache of downloads at {place} cannot be written; {REMEDY}")
    return place


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """Give an empty folder of the cache, for use in a `with` statement that ends with its removal.

    The folder of a process that was killed is removed by the next process that asks for one.

    Raises:
        errors.BadInput: see `made`.
    """
    place = made()
    for left in place.glob("scratch-*.lock"):
        with locked(left, blocking=False) as is_free:
            if is_free:
                shutil.rmtree(left.with_suffix(""), ignore_errors=True)
    folder = place / f"scratch-{uuid.uuid4().hex}"
    with locked(folder.with_suffix(".lock")):
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def kept(*parts: str) -> Iterator[Path]:
    """Give a folder of the cache, with what the last process has left there; it is removed if it is empty.

    While another process has the folder, a scratch folder takes its place.

    Raises:
        errors.BadInput: see `made`.
    """
    folder = made(*parts[:-1]) / parts[-1]
    remove_old(folder.parent)
    with locked(folder.with_suffix(".lock"), blocking=False) as is_free:
        if not is_free:
            with scratch() as other:
                yield other
            return
        folder.mkdir(exist_ok=True)
        try:
            yield folder
        finally:
            with contextlib.suppress(OSError):
                folder.rmdir()


@contextlib.contextmanager
def locked(path: Path, blocking: bool = True) -> Iterator[bool]:
    """Hold a lock file until the `with` statement ends, which removes it; give False if another has it.

    Args:
        path: The file.
        blocking: True to wait for another process that has it.
    """
    lock = filelock.FileLock(path, blocking=blocking)
    try:
        lock.acquire()
    except filelock.Timeout:
        yield False
        return
    try:
        yield True
    finally:
        path.unlink(missing_ok=True)
        lock.release()


def remove_old(folder: Path) -> None:
    """Remove the files and folders in a folder that have not been touched for long."""
    for path in folder.iterdir():
        try:
            is_old = time.time() - path.stat().st_mtime > OLD_SECONDS
        except FileNotFoundError:  # another process was quicker
            continue
        if is_old and path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif is_old:
            path.unlink(missing_ok=True)
