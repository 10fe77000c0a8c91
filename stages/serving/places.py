"""The pictures that a user names: all of them are listed first, then read in their order."""

import functools
import hashlib
import itertools
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from stages.decoding import picture
from stages.running import errors
from stages.serving import lists
from stages.sources import archives, examined, listing

STANDARD_INPUT = "-"
ARCHIVES = {".zip", ".tar", ".tgz", ".gz", ".tbz2", ".bz2", ".txz", ".xz"}  # usual suffixes


class Place(NamedTuple):
    """The pictures of one place.

    Attributes:
        names: Their names in the results, in order: the path of a file, or that of an archive followed by the
            name of a member.
        archive: The archive that holds them; None of files.
    """

    names: list[str]
    archive: Path | None = None


class Content(NamedTuple):
    """A picture that has not been read yet.

    Attributes:
        name: Its name in the results.
        read: Returns the bytes of its file, in any thread; raises `picture.Fault` where there are none.
    """

    name: str
    read: Callable[[], bytes]


def find(words: Sequence[str], column: str) -> list[Place]:
    """List the pictures that each word of a command line names.

    Args:
        words: Pictures, folders, zip or tar archives, and tables that name files; "-" stands for a list of
            files on standard input. Links are followed, and what systems leave behind is left out.
        column: The column of tables that names files.

    Raises:
        errors.BadInput: nothing is at a place, or a device or a pipe; a folder, an archive or a list has no
            files; a folder or a table cannot be read, or an archive is damaged.
    """
    return [_find(word, column) for word in words]


def require_outside(output: Path, words: Sequence[str], places: Sequence[Place]) -> None:
    """Check that an output is no input, and lies in no folder of inputs.

    Raises:
        errors.BadInput: it is, or does.
    """
    place = output.resolve()
    named = [Path(word).resolve() for word in words if word != STANDARD_INPUT]
    inside = any(each == place or (each.is_dir() and place.is_relative_to(each)) for each in named)
    listed = (name for each in places if not each.archive for name in each.names)
    if inside or (place.exists() and any(_is_same(name, place) for name in listed)):
        raise errors.BadInput(
            f"expected an output that is not among the inputs, received {listing.shown(str(output))}; name"
            " another place"
        )


def digest(places: Sequence[Place]) -> str:
    """Return a digest of the names, sizes and times of change of all files, in their order."""
    found = hashlib.blake2b(digest_size=16)
    for place in places:
        files = [str(place.archive)] if place.archive else place.names
        for facts in map(_facts, files):
            found.update(f"{facts}\n".encode())
    return found.hexdigest()


def contents(places: Sequence[Place], first: int = 0) -> Iterator[Content]:
    """Yield the pictures of all places, from the one with the number `first` on.

    A file is read by `Content.read`; a member of an archive is read before it is yielded.

    Raises:
        errors.BadInput: an archive is not as it was listed, or holds far more than its size.
    """
    for place in places:
        skipped = min(first, len(place.names))
        if place.archive:
            yield from _of_archive(place.archive, place.names, skipped)
        else:
            for number in range(skipped, len(place.names)):
                name = place.names[number]
                yield Content(name, functools.partial(_read, name))
        first -= skipped


def _find(word: str, column: str) -> Place:
    if word == STANDARD_INPUT:
        return Place(lists.of_standard_input())
    path = Path(word)
    if path.is_dir():
        names = [str(path / name) for name in listing.walk(path).files]
        return Place(_require_some(names, path))
    if not path.is_file():
        found = "a device, a pipe or a socket" if path.exists() else "nothing"
        raise errors.BadInput(
            f"expected a picture, a folder, an archive or a table at {listing.shown(word)}, found {found}"
        )
    if lists.is_table(path):
        return Place(lists.of_table(path, column))
    if not listing.is_picture(word) and archives.is_archive(path):
        names = [f"{word}/{member.name}" for member in _members(path)]
        return Place(_require_some(names, path), path)
    if path.suffix.lower() in ARCHIVES:
        raise errors.BadInput(
            f"expected a zip or a tar at {listing.shown(word)}, as its name says, found another file or only"
            " a part of one"
        )
    return Place([word])


def _require_some(names: list[str], path: Path) -> list[str]:
    if not names:
        raise errors.BadInput(f"expected pictures in {listing.shown(str(path))}, found no files")
    return names


def _members(path: Path) -> Iterator[archives.Member]:
    with archives.opened(path) as found:
        for member in found:
            if not any(map(listing.is_left_behind, PurePosixPath(member.name).parts)):
                yield member


def _of_archive(path: Path, names: list[str], skipped: int) -> Iterator[Content]:
    for number, (name, member) in enumerate(itertools.zip_longest(names, _members(path))):
        if name is None or member is None or not name.endswith(f"/{member.name}"):
            raise errors.BadInput(f"{path}: expected the archive that was listed, found another; start again")
        if number >= skipped:
            yield Content(name, _read_member(member))


def _read_member(member: archives.Member) -> Callable[[], bytes]:
    """Read a member of an archive now; return what gives its bytes, or raises the fault, later."""
    fault = None
    if not member.is_file:
        fault = picture.Fault("not_a_file", "expected a file, found a link or a device")
    elif member.size > examined.LARGEST_FILE:
        fault = _too_large(member.size)
    else:
        try:
            with member.open() as opened:
                return functools.partial(bytes, opened.read())
        except errors.StageError:
            raise
        except archives.DAMAGE as error:
            fault = picture.Fault("unreadable", f"cannot be read: {listing.shown(str(error))}")
    return functools.partial(_fail, fault)


def _fail(fault: picture.Fault) -> bytes:
    raise fault


def _read(name: str) -> bytes:
    try:
        status = os.stat(name)
        if not stat.S_ISREG(status.st_mode):
            found = "a folder" if stat.S_ISDIR(status.st_mode) else "a device, a pipe or a socket"
            raise picture.Fault("not_a_file", f"expected a file, found {found}")
        if status.st_size > examined.LARGEST_FILE:
            raise _too_large(status.st_size)
        return Path(name).read_bytes()
    except FileNotFoundError:
        raise picture.Fault("missing", "there is no such file") from None
    except OSError as error:
        raise picture.Fault("unreadable", f"cannot be read: {error.strerror}") from error
    except picture.Fault:
        raise
    except ValueError:  # a null character, or half a pair of surrogates
        raise picture.Fault("missing", "no file can have this name") from None


def _too_large(size: int) -> picture.Fault:
    most = f"expected a file of at most {examined.LARGEST_FILE:,} bytes"
    return picture.Fault("too_large", f"{most}, received {size:,}")


def _facts(name: str) -> tuple[str, int, int]:
    """Return what is the same as long as a file is: its name, size and time of change."""
    try:
        status = os.stat(name)
    except (OSError, ValueError):
        return ascii(name), -1, -1
    return ascii(name), status.st_size, status.st_mtime_ns


def _is_same(name: str, other: Path) -> bool:
    try:
        return other.samefile(name)
    except (OSError, ValueError):
        return False
