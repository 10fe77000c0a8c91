"""The index of one's own pictures: which they are, and what the check of each one found.

data/raw then holds no pictures but

    index.csv      a row per picture, sorted by path; see `TYPES`
    pictures.json  where the pictures are, the classes in the order of their labels, the limit of pixels
"""

import csv
import functools
import itertools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from stages.decoding import examine, picture
from stages.running import documents, errors, outputs, paramfile
from stages.sources import archives, checksums, examined, extracted, listing, raw

TABLE, SOURCE = "index.csv", "pictures.json"
SPLITS = ("train", "val", "test")
LEVELS = 32  # folders or archives, one in the other, before the pictures
TYPES: dict[str, Any] = {
    **listing.Entry.__annotations__,
    "size": int,  # bytes
    "digest": str,
    **examine.Facts.__annotations__,
}
COLUMNS = list(TYPES)
DTYPES = {
    **{name: object if of is str else of for name, of in TYPES.items()},
    **{"digest": "V16", "pixels": "V16", "hash": np.uint64},  # which are hexadecimal digits in the table
}
READ: dict[str, Callable[[str], Any]] = {
    # A text that may be there many times is in memory once.
    **{name: sys.intern if of is str else of for name, of in TYPES.items()},
    **{
        "path": str,
        "digest": bytes.fromhex,
        "pixels": bytes.fromhex,
        "hash": functools.partial(int, base=16),
    },
}
CHUNK = 4096  # rows that are in memory as text


class Source(paramfile.Section):
    """Where the pictures of an index are, and how they were checked."""

    place: str
    classes: list[str]
    max_pixels: int


class Collected(NamedTuple):
    """The result of a check: the manifest of data/raw, the faults, and remarks in sentences."""

    manifest: raw.Manifest
    faults: list[listing.Fault]
    files: int  # all that were listed
    remarks: list[str]


def root(place: Path, levels: int = LEVELS) -> Path:
    """Return the folder that holds the pictures of a place: a folder, or an archive that is unpacked.

    A folder that holds nothing but an archive, or nothing but another folder that is not a class of pictures,
    is entered.

    Args:
        place: The place.
        levels: How often this may be done; an archive can hold itself.

    Raises:
        errors.BadInput: the place is empty, cannot be read or has too many levels, or see
            `extracted.folder`.
    """
    if place.is_file():
        return root(extracted.folder(place), levels)
    visible = listing.visible(place)
    if not visible or not levels:
        found = f"{LEVELS} folders or archives in one another" if visible else "none"
        raise errors.BadInput(
            f"expected pictures below {place.absolute()}, found {found}; put a folder, a zip or a tar of them"
            " there, or set download.images to their place"
        )
    first, *others = visible
    inside = Path(first.path)
    if others or first.name.casefold() in listing.SPLITS:
        return place
    if archives.is_archive(inside):
        return root(inside, levels - 1)
    enters = listing.is_folder(first) and not _holds_only_pictures(inside)
    return root(inside, levels - 1) if enters else place


def _holds_only_pictures(folder: Path) -> bool:
    return not any(
        listing.is_folder(entry) or not listing.is_picture(entry.name) for entry in listing.visible(folder)
    )


def collect(
    plugin: str, place: Path, base: Path, listed: listing.Listing, max_pixels: int, folder: Path
) -> Collected:
    """Check every listed picture, and write the index of those that can be used.

    Args:
        plugin: The name of the dataset.
        place: The place of the pictures as the user names it.
        base: The folder that the listed paths are below.
        listed: What there is.
        max_pixels: A picture with more pixels is faulty.
        folder: The folder of the index; it exists.
    """
    entries = sorted(listed.entries)
    faults = list(listed.faults)
    with (folder / TABLE).open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        table = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
        table.writerow(COLUMNS)
        every = examined.files(base, [entry.path for entry in entries], max_pixels)
        for entry, found in zip(entries, every, strict=True):
            if found.facts is None:
                faults.append(listing.Fault(entry.path, found.kind, found.detail))
            else:
                table.writerow([*entry, found.size, found.digest, *found.facts])
    source = Source(place=str(place), classes=listed.classes, max_pixels=max_pixels)
    outputs.write_json(folder / SOURCE, source.model_dump())
    files = {name: checksums.of_file(folder / name, "sha256") for name in (TABLE, SOURCE)}
    manifest = raw.Manifest(dataset=plugin, files=files, plugin=plugin)
    return Collected(manifest, sorted(faults), len(entries) + len(listed.faults), listed.remarks)


def read(folder: Path) -> tuple[list[str], dict[str, tuple["Pictures", np.ndarray]]]:
    """Open an index.

    Returns:
        The class names, and for each split that is given ("train" if none is) its pictures and labels
        (int64 [N]), sorted by path.

    Raises:
        errors.BadInput: the index is damaged, or the place of the pictures is not there.
    """
    source = outputs.read(Source, folder / SOURCE)
    facts = _facts(folder / TABLE)
    _require_known(folder / TABLE, facts, {"label": set(source.classes), "split": {"", *SPLITS}})
    place = Path(source.place).expanduser()
    if not place.exists():
        raise errors.BadInput(
            f"expected the pictures at {place.absolute()}, found nothing; see download.images"
        )
    base = root(place)
    ids = {name: label for label, name in enumerate(source.classes)}
    labels = np.fromiter((ids[label] for label in facts.pop("label")), np.int64, len(facts["path"]))
    given = facts.pop("split")
    given[given == ""] = "train"
    chosen = {split: given == split for split in SPLITS if split == "train" or split in given}
    parts: dict[str, dict[str, np.ndarray]] = {split: {} for split in chosen}
    while facts:  # column by column, so that no more than one is there twice
        name, values = facts.popitem()
        for split, of_split in chosen.items():
            parts[split][name] = values[of_split]
    return source.classes, {
        split: (Pictures(base, part, source.max_pixels), labels[chosen[split]])
        for split, part in parts.items()
    }


def _facts(path: Path) -> dict[str, np.ndarray]:
    """Read the columns of an index, [N] each, in little memory: see `DTYPES`."""
    try:
        documents.require_file(path)
        with path.open("rb") as lines:
            most = sum(1 for _ in lines)  # a name can have lines, too
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            rows = csv.reader(file, strict=True)
            header = next(rows, [])
            if header != COLUMNS:
                raise ValueError(f"received the columns {', '.join(header)}")
            facts = {name: np.empty(most, dtype) for name, dtype in DTYPES.items()}
            count = 0
            while chunk := list(itertools.islice(rows, CHUNK)):
                for name, texts in zip(COLUMNS, zip(*chunk, strict=True), strict=True):
                    facts[name][count : count + len(chunk)] = list(map(READ[name], texts))
                count += len(chunk)
        return {name: values[:count] for name, values in facts.items()}
    except (OSError, ValueError, csv.Error) as error:
        raise errors.BadInput(f"{path}: expected an index of pictures: {error}; rerun download") from error


def _require_known(path: Path, facts: dict[str, np.ndarray], known: dict[str, set[str]]) -> None:
    for column, values in known.items():
        if others := set(facts[column]) - values:
            raise errors.BadInput(
                f"{path}: expected an index of pictures: it has the unknown {column} {min(others)!r}; rerun"
                " download"
            )


class Pictures:
    """The pictures of one split, which are decoded when they are asked for.

    Args:
        base: The folder that the paths are below.
        facts: What is known of N pictures, [N] each; see `DTYPES`.
        max_pixels: A picture with more pixels is refused.
    """

    def __init__(self, base: Path, facts: dict[str, np.ndarray], max_pixels: int):
        self.base, self.facts, self.max_pixels = base, facts, max_pixels

    def __len__(self) -> int:
        return len(self.facts["path"])

    def decode(self, position: int, colours: picture.Colours) -> np.ndarray:
        """Decode a picture: uint8 [H, W, C].

        Raises:
            errors.BadInput: the file is not the one that was checked.
        """
        name, size, of_content = (self.facts[column][position] for column in ("path", "size", "digest"))
        path = self.base / name
        try:
            # A pipe in its place would have no end.
            content = path.read_bytes() if path.stat().st_size == size else b""
        except OSError as error:
            raise _changed(path, f"it cannot be read: {error.strerror}") from error
        if len(content) != size or examined.digest(content) != of_content.tobytes().hex():
            raise _changed(path, "its content is another")
        return picture.decode(content, colours, self.max_pixels)

    def fact(self, name: str) -> np.ndarray:
        """What is known of each picture, by the name of the column: [N]."""
        return self.facts[name]

    def take(self, positions: np.ndarray) -> "Pictures":
        """Return the pictures at some positions, int [n], with what decoding takes in any process."""
        needed = {name: self.facts[name][positions] for name in ("path", "size", "digest")}
        return Pictures(self.base.absolute(), needed, self.max_pixels)


def _changed(path: Path, how: str) -> errors.BadInput:
    shown = listing.shown(str(path))
    return errors.BadInput(
        f"{shown}: expected the picture that the download stage has checked, but {how}; run `dvc repro`"
    )
