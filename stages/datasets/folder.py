"""Your own pictures in folders: root/CLASS/... or root/{train,val,test}/CLASS/...

The root is a folder, a zip or a tar. Folders below a class's folder belong to the class. Classes are named
by their folders and sorted naturally; they are the union over the splits.
"""

import re
import sys
from pathlib import Path, PurePosixPath

import pydantic

from stages.running import errors
from stages.sources import index, listing


class Options(listing.Checks):
    """Options of the dataset folder."""

    group: str | None  # a regular expression; pictures with the same text where it matches stay together

    @pydantic.field_validator("group")
    @classmethod
    def _valid(cls, pattern: str | None) -> str | None:
        try:
            re.compile(pattern or "")
        except (re.error, OverflowError, RecursionError) as error:
            raise ValueError(
                f"expected a regular expression or null, received {pattern!r}: {error}"
            ) from error
        return pattern


def collect(options: Options, place: Path, folder: Path) -> index.Collected:
    """Check every picture at a place and write an index of them to a folder.

    Raises:
        errors.BadInput: the layout is not one of those above, or a class has no pictures.
    """
    root = index.root(place)
    return index.collect("folder", place, root, entries(root, options.group), options.max_pixels, folder)


read = index.read


def entries(root: Path, group: str | None = None) -> listing.Listing:
    """List the files below a root by class, and by split if it has folders of splits.

    Args:
        root: The folder.
        group: A regular expression for paths; its group "group", its first group or all that matches is the
            name of the picture's group.

    Raises:
        errors.BadInput: see `collect`.
    """
    walked = listing.walk(root)
    splits = _splits(root, sorted(_folders(root), key=listing.natural))
    depth = 2 if splits else 1
    found, outside = [], []
    for path in walked.files:
        parts = path.split("/", depth)
        if len(parts) <= depth:
            outside.append(path)
            continue
        split, label = splits[parts[0]] if splits else "", sys.intern(parts[depth - 1])
        found.append(listing.Entry(path, label, split, _group(group, path)))
    parents = [root / name for name in splits] if splits else [root]
    names = {name for parent in parents for name in _folders(parent)} | {entry.label for entry in found}
    classes = listing.classes(names, root)
    _require_one_level(found, classes, depth)
    _require_pictures(found, classes)
    remarks = _remarks(walked.left, outside)
    faults = [
        listing.Fault(path, "no_class", "lies in no class's folder")
        for path in outside
        if listing.is_picture(path)
    ]
    if group and (without := [entry.path for entry in found if not entry.group]):
        remarks.append(f"in no group, as {group!r} does not match: {listing.named(without)}")
    return listing.Listing(classes, found, faults, remarks)


def _remarks(left_behind: list[str], outside: list[str]) -> list[str]:
    """Say in sentences which files are not taken for pictures."""
    left = [path for path in left_behind if PurePosixPath(path).name not in listing.OF_GIT]
    others = [path for path in outside if not listing.is_picture(path)]
    remarks = [f"left out, as systems leave such files behind: {listing.named(left)}"] if left else []
    return [*remarks, f"left out, in no class's folder: {listing.named(others)}"] if others else remarks


def _folders(place: Path) -> set[str]:
    """Return the names of the folders in a folder that are not left behind by a system."""
    return {entry.name for entry in listing.visible(place) if listing.is_folder(entry)}


def _splits(root: Path, top: list[str]) -> dict[str, str]:
    """Return the split of each folder in the root; none if these are folders of classes."""
    splits = {name: listing.SPLITS[name.casefold()] for name in top if name.casefold() in listing.SPLITS}
    if not splits:
        return {}
    if others := [name for name in top if name not in splits]:
        raise errors.BadInput(
            f"{root}: expected either classes or splits as folders, found both: {', '.join(splits)} beside"
            f" {listing.named(others)}; rename or move one kind"
        )
    if len(set(splits.values())) < len(splits):
        raise errors.BadInput(f"{root}: expected one folder per split, found {', '.join(splits)}")
    if "train" not in splits.values():
        raise errors.BadInput(f"{root}: expected a folder train, found only {', '.join(splits)}")
    return splits


def _require_one_level(found: list[listing.Entry], classes: list[str], depth: int) -> None:
    """Refuse a class's or a split's folder inside a class's folder: to which does a picture belong?"""
    known = {listing.same_name(name) for name in classes} | set(listing.SPLITS)
    inside = [
        entry.path
        for entry in found
        if any(listing.same_name(part) in known for part in entry.path.split("/")[depth:-1])
    ]
    if inside:
        raise errors.BadInput(
            "expected no folder of a class or split inside a class's folder, found pictures in such folders,"
            f" {listing.named(inside)}; move or rename them"
        )


def _require_pictures(found: list[listing.Entry], classes: list[str]) -> None:
    filled = {entry.label for entry in found}
    if empty := [name for name in classes if name not in filled]:
        raise errors.BadInput(
            f"expected pictures in each class's folder, found none in {', '.join(map(repr, empty))};"
            " add some, or remove the folder"
        )


def _group(pattern: str | None, path: str) -> str:
    match = re.search(pattern, path) if pattern else None
    if match is None:
        return ""
    text = match.groupdict().get("group") or (match.group(1) if match.re.groups else match.group())
    return sys.intern(text or "")
