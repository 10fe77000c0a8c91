"""A list of picture files and what is known of them before they are opened."""

import os
import unicodedata
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import pydantic

from stages.running import errors, paramfile

# Files and folders that systems and programs leave behind; every name that begins with a dot is one, too.
LEFT_BEHIND = {"thumbs.db", "desktop.ini", "@eadir", "__macosx", "ehthumbs.db"}
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


def walk(root: Path) -> list[tuple[str, bool]]:
    """Return the path below a folder of every file, with slashes, and whether a system has left it behind.

    Links are followed, to each folder once, so that a circle of links ends. Paths are sorted.
    """
    seen: set[tuple[int, int]] = set()
    files, waiting = [], [("", False)]
    while waiting:
        prefix, is_left = waiting.pop()
        place = root / prefix
        status = place.stat()
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        with os.scandir(place) as found:
            children = list(found)
        for entry in sorted(children, key=lambda entry: entry.name, reverse=True):
            hidden = is_left or is_left_behind(entry.name)
            if is_folder(entry):
                waiting.append((f"{prefix}{entry.name}/", hidden))
            else:
                files.append((f"{prefix}{entry.name}", hidden))
    return sorted(files)


def is_left_behind(name: str) -> bool:
    """True if a system or a program leaves files or folders of this name behind."""
    return name.startswith(".") or name.casefold() in LEFT_BEHIND


def is_picture(path: str) -> bool:
    """True if a file's name ends like that of a picture."""
    return PurePosixPath(path).suffix.lower() in PICTURES


def is_folder(entry: os.DirEntry | Path) -> bool:
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
    keys = [int(part or 0) if place % 2 else part.casefold() for place, part in enumerate(parts)]
    return (*keys,), text


def same_name(text: str) -> str:
    """Return a form that is equal for names that differ only in case or in how accents are encoded."""
    return unicodedata.normalize("NFC", text).casefold()


def classes(names: set[str]) -> list[str]:
    """Sort the names of classes naturally and check that they can be told apart.

    Raises:
        errors.BadInput: there are fewer than two names, or two that differ only in case or accents.
    """
    first: dict[str, str] = {}
    for name in sorted(names, key=natural):
        other = first.setdefault(same_name(name), name)
        if other != name:
            raise errors.BadInput(
                f"expected names of classes that differ by more than case, found {other!r} and {name!r};"
                " rename one, or move the pictures together"
            )
    if len(names) < 2:
        raise errors.BadInput(f"expected at least two classes, found {', '.join(names) or 'none'}")
    return sorted(names, key=natural)


def named(paths: list[str]) -> str:
    """Return how many paths there are and the first of them, for a message."""
    more = ", ..." if len(paths) > SHOWN else ""
    return f"{len(paths):,}: {', '.join(paths[:SHOWN])}{more}"
