"""Small pictures, and folders, archives and tables of them as people have them."""

import hashlib
import io
import tarfile
import unicodedata
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from stages import download
from stages.decoding import picture
from stages.running import paramfile, plugins

AS_STORED = picture.Colours(None)
CLASSES = ["cat", "dog"]
NFC, NFD = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
FOLDER: dict[str, Any] = {"faults": "error", "max_fault_share": 0.01, "max_pixels": 10_000, "group": None}
COLUMNS = {"file": "file", "label": "label", "split": None, "group": None}
TABLE: dict[str, Any] = {
    **{key: value for key, value in FOLDER.items() if key != "group"},
    "table": "labels.csv",
    "columns": COLUMNS,
}


def pixels(number: int, height: int = 10, width: int = 12) -> np.ndarray:
    """Noise that is another for every number, so that no two pictures are near duplicates."""
    return np.random.default_rng(number).integers(0, 256, (height, width, 3), np.uint8)


def encoded(array: np.ndarray, file_format: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, file_format)
    return buffer.getvalue()


def png(number: int, height: int = 10, width: int = 12) -> bytes:
    return encoded(pixels(number, height, width))


def write(root: Path, *names: str) -> Path:
    """Write a picture to each path below a root, another one to each; return the root."""
    for name in names:
        put(root / name, png(hash_of(name)))
    return root


def put(path: Path, content: bytes = b"") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def hash_of(name: str) -> int:
    """A number for a path, the same in every run."""
    return int.from_bytes(hashlib.blake2b(name.encode(errors="surrogateescape"), digest_size=7).digest())


def numbered(classes: Iterable[str], count: int, prefix: str = "", suffix: str = ".png") -> list[str]:
    """Paths of some pictures of each class."""
    return [f"{prefix}{name}/{number:03}{suffix}" for name in classes for number in range(count)]


def content(folder: Path) -> dict[str, bytes]:
    """The bytes of every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def zipped(path: Path, members: Mapping[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def tarred(path: Path, members: Mapping[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return path


def collected(name: str, place: Path, folder: Path, **options: Any) -> Any:
    """Let a dataset of own pictures write its index to a folder; return what it found."""
    values = {**(FOLDER if name == "folder" else TABLE), **options}
    chosen = plugins.choose("datasets", {"name": name, **values}, "download.dataset")
    folder.mkdir(exist_ok=True)
    return chosen.module.collect(chosen.options, place, folder)


def downloaded(place: object, raw: Path, name: str = "folder", **options: Any) -> Path:
    """Run the stage download on a place of own pictures; return its file of faults."""
    empty, report = raw.parent / "empty", raw.parent / "faults.csv"
    empty.mkdir(exist_ok=True)
    values = {"name": name, **(FOLDER if name == "folder" else TABLE), **options}
    params = {"dataset": values, "images": str(place), "source": "auto", "archive": str(empty)}
    download.download(paramfile.check(download.Params, params, "download"), raw, report)
    return report


def decoded(images: Any, positions: Iterable[int] | None = None) -> list[np.ndarray]:
    """The images at some positions of a published split, or all, as they are stored."""
    places = range(len(images)) if positions is None else positions
    if isinstance(images, np.ndarray):
        return [images[place] for place in places]
    return [images.decode(place, AS_STORED) for place in places]
