"""The index of one's own pictures: which they are, and what the check of each one found.

data/raw then holds no pictures but

    index.csv      a row per picture, sorted by path; see `COLUMNS`
    pictures.json  where the pictures are, the classes in the order of their labels, the limit of pixels
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from stages.decoding import examine, picture
from stages.running import errors, outputs, paramfile
from stages.sources import checksums, examined, extracted, listing, raw

TABLE, SOURCE = "index.csv", "pictures.json"
COLUMNS = ["path", "label", "split", "group", "size", "digest", *examine.Facts._fields]

TEXTS = ["path", "label", "split", "group", "digest", "mode", "format", "pixels", "hash", "notes"]


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


def root(place: Path) -> Path:
    """Return the folder that holds the pictures of a place: a folder, or an archive that is unpacked.

    A folder that holds nothing but an archive, or nothing but another folder that is not a class of pictures,
    is entered.

    Raises:
        errors.BadInput: the place is empty, or see `extracted.folder`.
    """
    if place.is_file():
        return root(extracted.folder(place))
    visible = [entry for entry in place.iterdir() if not listing.is_left_behind(entry.name)]
    if not visible:
        raise errors.BadInput(
            f"expected pictures below {place.absolute()}, found none; put a folder, a zip or a tar of them"
            " there, or set download.images to their place"
        )
    (first, *others) = visible
    if others or first.name.casefold() in listing.SPLITS:
        return place
    if extracted.is_archive(first):
        return root(first)
    return root(first) if listing.is_folder(first) and not _holds_only_pictures(first) else place


def _holds_only_pictures(folder: Path) -> bool:
    visible = [entry for entry in folder.iterdir() if not listing.is_left_behind(entry.name)]
    return not any(listing.is_folder(entry) or not listing.is_picture(entry.name) for entry in visible)


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
    rows, faults = [], list(listed.faults)
    for entry, found in zip(
        entries, examined.files(base, [each.path for each in entries], max_pixels), strict=True
    ):
        if found.facts is None:
            faults.append(listing.Fault(entry.path, found.kind, found.detail))
        else:
            rows.append([*entry, found.size, found.digest, *found.facts])
    table = pd.DataFrame(rows, columns=COLUMNS)
    with (folder / TABLE).open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        table.to_csv(file, index=False, lineterminator="\n")
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
    source = paramfile.check(Source, outputs.read_json(folder / SOURCE), str(folder / SOURCE))
    try:
        with (folder / TABLE).open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            table = pd.read_csv(file, keep_default_na=False, dtype=dict.fromkeys(TEXTS, str))
    except (OSError, ValueError) as error:
        raise errors.BadInput(
            f"{folder / TABLE}: expected an index of pictures: {error}; rerun download"
        ) from error
    place = Path(source.place).expanduser()
    if not place.exists():
        raise errors.BadInput(
            f"expected the pictures at {place.absolute()}, found nothing; see download.images"
        )
    base = root(place)
    ids = {name: label for label, name in enumerate(source.classes)}
    splits = {}
    for split in ("train", "val", "test"):
        part = table[table["split"].replace("", "train") == split]
        if len(part) or split == "train":
            labels = part["label"].map(ids).to_numpy(np.int64)
            splits[split] = Pictures(base, part.reset_index(drop=True), source.max_pixels), labels
    return source.classes, splits


class Pictures:
    """The pictures of one split, which are decoded when they are asked for.

    Args:
        base: The folder that the paths are below.
        table: A row per picture; see `COLUMNS`.
        max_pixels: A picture with more pixels is refused.
    """

    def __init__(self, base: Path, table: pd.DataFrame, max_pixels: int):
        self.base, self.max_pixels = base, max_pixels
        self.facts: dict[str, np.ndarray] = {name: table[name].to_numpy(object) for name in TEXTS}
        self.facts |= {name: table[name].to_numpy() for name in COLUMNS if name not in TEXTS}

    def __len__(self) -> int:
        return len(self.facts["path"])

    def decode(self, position: int, colours: picture.Colours) -> np.ndarray:
        """Decode a picture: uint8 [H, W, C].

        Raises:
            errors.BadInput: the file is not the one that was checked.
        """
        name, size, of_content = (self.facts[column][position] for column in ("path", "size", "digest"))
        try:
            content = (self.base / name).read_bytes()
        except OSError as error:
            raise _changed(self.base / name, f"it cannot be read: {error.strerror}") from error
        if len(content) != size or examined.digest(content) != of_content:
            raise _changed(self.base / name, "its content is another")
        return picture.decode(content, colours, self.max_pixels)


def _changed(path: Path, how: str) -> errors.BadInput:
    return errors.BadInput(
        f"{path}: expected the picture that the download stage has checked, but {how}; run `dvc repro`"
    )
