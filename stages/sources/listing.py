"""A list of picture files and what is known of them before they are opened."""

import heapq
import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import pydantic

from stages.running import ellipsis, errors, paramfile

# Files and folders that systems and programs leave behind; every name that begins with a dot is one, too.
LEFT_BEHIND = {"thumbs.db", "desktop.ini", "@eadir", "__macosx", "ehthumbs.db", "icon\r"}
OF_GIT = {".gitignore", ".gitkeep"}  # which belong in a folder of pictures that is in a repository
SPLITS = {  # the usual names of a split, in lower case
    **dict.fromkeys(["train", "training"], "train"),
    **dict.fromkeys(["val", "valid", "validation", "dev"], "val"),
    **dict.fromkeys(["test", "testing", "eval", "evaluation"], "test"),
}
PICTURES = {  # usual suffixes of picture files
    *(".avif", ".bmp", ".dib", ".gif", ".heic", ".heif", ".jfif", ".jpe", ".jpeg", ".jpg", ".mpo", ".png"),
    *(".tif", ".tiff", ".webp"),
}
SHOWN = 10  # names in a message
LONGEST_SHOWN = 300  # characters of each


class Checks(paramfile.Section):
    """Options of datasets of one's own pictures: which files are faulty, and what happens with them."""

    faults: str  # error, or skip
    max_fault_share: float = pydantic.Field(ge=0, le=1)  # a larger share of faulty files is always an error
    max_pixels: int = pydantic.Field(ge=1)  # height times width of a picture; a larger one is faulty

    @pydantic.field_validator("faults")
    @classmethod
    def _known(cls, policy: str) -> str:
        if policy not in ("error", "skip"):
            raise ValueError(f"expected error or skip, received {policy!r}")
        return policy


class Entry(NamedTuple):
    """A picture file as a folder or a table lists it."""

    path: str  # below the root, with slashes
    label: str
    split: str  # train, val, test, or "" if none is given
    group: str  # "" if none is given


class Fault(NamedTuple):
    """A file that cannot be used, and why."""

    path: str
    kind: str
    detail: str


class Listing(NamedTuple):
    """What a folder or a table lists."""

    classes: list[str]  # in the order of their labels
    entries: list[Entry]
    faults: list[Fault]  # what is listed and cannot be used
    remarks: list[str]  # what else was found, in sentences


class Walked(NamedTuple):
    """The paths of all files below a folder, with slashes, sorted."""

    files: list[str]
    left: list[str]  # those that a system or a program has left behind


def walk(root: Path) -> Walked:
    """List the files below a folder.

    Links are followed, to each folder once, so that a circle of links ends. A folder is listed where it
    lies, if that is below the root, and not where a link to it is.

    Raises:
        errors.BadInput: a folder cannot be read.
    """
    seen: set[tuple[int, int]] = set()
    walked = Walked([], [])
    waiting = [(False, False, "")]  # left behind, reached by a link, path: the smallest is next
    while waiting:
        is_left, is_linked, prefix = heapq.heappop(waiting)
        for entry in _children(root / prefix, seen):
            hidden = is_left or is_left_behind(entry.name)
            if is_folder(entry):
                linked = is_linked or entry.is_symlink()
                heapq.heappush(waiting, (hidden, linked, f"{prefix}{entry.name}/"))
            else:
                (walked.left if hidden else walked.files).append(f"{prefix}{entry.name}")
    for paths in walked:
        paths.sort()
    return walked


def _children(folder: Path, seen: set[tuple[int, int]]) -> Iterator[os.DirEntry]:
    """Yield what is in a folder, and note that it has been seen; nothing if it had been."""
    try:
        with os.scandir(folder) as found:
            status = folder.stat()
            if (status.st_dev, status.st_ino) not in seen:
                seen.add((status.st_dev, status.st_ino))
                yield from found
    except OSError as error:
        raise errors.BadInput(
            f"expected a folder that can be read, received {shown(str(folder))}: {error.strerror}"
        ) from error


def visible(folder: Path) -> list[os.DirEntry]:
    """Return what is in a folder, but for what a system or a program has left behind.

    Raises:
        errors.BadInput: the folder cannot be read.
    """
    return [entry for entry in _children(folder, set()) if not is_left_behind(entry.name)]


def is_left_behind(name: str) -> bool:
    """True if a system or a program leaves files or folders of this name behind."""
    return name.startswith(".") or name.casefold() in LEFT_BEHIND


def is_picture(path: str) -> bool:
    """True if a file's name ends like that of a picture."""
    return PurePosixPath(path).suffix.lower() in PICTURES


def is_folder(entry: os.DirEntry) -> bool:
    """True if an entry is a folder or a link to one; a link to itself is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def natural(text: str) -> tuple:
    """Return a key that sorts numbers in names by their value: "class 2" comes before "class 10"."""
    digits, parts = False, [""]
    for character in unicodedata.normalize("NFC", text):
        if character.isdecimal() != digits:
            digits = not digits
            parts.append("")
        parts[-1] += character
    # Letters and numbers take turns, so that only equals are compared.
    keys = [_value(part) if place % 2 else part.casefold() for place, part in enumerate(parts)]
    return (*keys,), text


def _value(number: str) -> tuple[int, str]:
    """Return a key that sorts numbers of any length; `int` refuses more than 4,300 digits."""
    digits = "".join(str(unicodedata.decimal(each)) for each in number).lstrip("0")
    return len(digits), digits


def same_name(text: str) -> str:
    """Return a form that is equal for names that differ only in case or in how accents are encoded."""
    return unicodedata.normalize("NFC", text).casefold()


def classes(names: set[str], place: Path) -> list[str]:
    """Sort the names of classes naturally and check that they can be told apart.

    Args:
        names: The names.
        place: Where they are from, for the error message.

    Raises:
        errors.BadInput: there are fewer than two names, or two that differ only in case or accents, or one
            is not UTF-8.
    """
    if odd := [name for name in names if not _is_utf8(name)]:
        raise errors.BadInput(f"{place}: expected names of classes in UTF-8, found {min(odd)!r}; rename it")
    first: dict[str, str] = {}
    for name in sorted(names, key=natural):
        other = first.setdefault(same_name(name), name)
        if other != name:
            raise errors.BadInput(
                f"{place}: expected names of classes that differ by more than case or accents, found"
                f" {other!r} and {name!r}; rename one, or move the pictures together"
            )
    if len(names) < 2:
        found = ", ".join(map(shown, names)) or "none"
        raise errors.BadInput(f"{place}: expected at least two classes of pictures, found {found}")
    return sorted(names, key=natural)


def _is_utf8(text: str) -> bool:
    """True if a text can be written; what is not UTF-8 in the name of a file reaches Python as surrogates."""
    return not any("\ud800" <= each <= "\udfff" for each in text)


def named(paths: list[str]) -> str:
    """Return how many paths there are and the first of them, for a message."""
    more = ", ..." if len(paths) > SHOWN else ""
    return f"{len(paths):,}: {', '.join(map(shown, paths[:SHOWN]))}{more}"


def shown(path: str) -> str:
    """Return a path or another text in one line of bounded length, whatever characters are in it."""
    text = ellipsis.cut(path, LONGEST_SHOWN)
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
