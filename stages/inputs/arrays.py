"""The subset format: one split's images as NumPy arrays on disk, and a manifest beside them.

A split's folder holds

    images.npy     uint8 [N, H, W, C] in C order
    labels.npy     int64 [N], in 0..K-1 in the order of the classes
    positions.npy  int64 [N], each image's place in its published split
    manifest.json  see `Manifest`
    names.json     of own pictures; see `names`
"""

import io
import math
import os
import tokenize
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from stages.inputs import manifest, names
from stages.running import errors, outputs, paramfile

# The exceptions that NumPy raises for files that are not arrays.
UNREADABLE = (OSError, ValueError, EOFError, TypeError, OverflowError, SyntaxError, tokenize.TokenError)


class Manifest(paramfile.Section):
    """The manifest of one split's arrays."""

    classes: list[str]
    count: paramfile.Count
    form: manifest.Form | None = None  # None of published arrays that are as they were
    image_shape: manifest.ImageShape


def write(
    folder: Path,
    manifest: Manifest,
    images: Iterable[np.ndarray],
    labels: np.ndarray,
    positions: np.ndarray,
    paths: Sequence[str] | None = None,
) -> None:
    """Write one split to a new folder, image by image.

    Args:
        folder: The folder to create.
        manifest: The number of images, their shape and their classes.
        images: uint8 [H, W, C] each.
        labels: int64 [N].
        positions: int64 [N].
        paths: The N paths of own pictures; None for published images.

    Raises:
        OSError: the disk is full.
    """
    folder.mkdir()
    if paths is not None:
        names.write(folder, positions, paths)
    _save(folder / "labels.npy", labels)
    _save(folder / "positions.npy", positions)
    shape = (manifest.count, *manifest.image_shape)
    with (folder / "images.npy").open("wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        for image in images:
            file.write(image.tobytes())
    outputs.write_json(folder / "manifest.json", manifest.model_dump(exclude_none=True))


def _save(path: Path, array: np.ndarray) -> None:
    """Write a .npy file; unlike with np.save on a path, a full disk is an OSError that has its errno."""
    buffer = io.BytesIO()
    np.save(buffer, array)
    path.write_bytes(buffer.getvalue())


class Images:
    """The images of one split, uint8 [N, H, W, C], read from their file when they are indexed.

    A memory map would do the same, but everything it has read counts as memory of the process, in the end
    the whole file. Reading is as fast: 700,000 images/s of 32x32x3 from the system's cache.
    """

    def __init__(self, path: Path):
        try:
            self.file = path.open("rb", buffering=0)
            np.lib.format.read_magic(self.file)
            self.shape, in_fortran_order, dtype = np.lib.format.read_array_header_1_0(self.file)
        except UNREADABLE as error:
            raise _not_as_written(path, "an array of images", error) from error
        if dtype != np.uint8 or in_fortran_order or len(self.shape) != 4:
            raise _not_as_written(path, "uint8 [N, H, W, C] in C order", f"{dtype} of the shape {self.shape}")
        self.first_byte = self.file.tell()
        expected, received = self.first_byte + math.prod(self.shape), path.stat().st_size
        if received != expected:
            raise _not_as_written(path, f"{len(self):,} images in {expected:,} bytes", f"{received:,}")

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, places: np.ndarray) -> np.ndarray:
        """Read the images at the given places of the file, int [n]: uint8 [n, H, W, C].

        Threads can do so at the same time.
        """
        images = np.empty((len(places), *self.shape[1:]), np.uint8)
        for image, place in zip(images, places.tolist(), strict=True):
            content = os.pread(self.file.fileno(), image.nbytes, self.first_byte + place * image.nbytes)
            image[:] = np.frombuffer(content, np.uint8).reshape(image.shape)
        return images


class Split:
    """One split as it was written, checked against its manifest; the images stay on disk.

    Raises:
        errors.BadInput: an array is missing, damaged, or of another shape or type than its manifest says;
            a label is of no class; or a position is there twice.
    """

    def __init__(self, folder: Path):
        path = folder / "manifest.json"
        self.manifest = paramfile.check(Manifest, outputs.read_json(path), str(path))
        self.labels = self._integers(folder / "labels.npy", len(self.manifest.classes))
        self.positions = self._integers(folder / "positions.npy", None)
        if len(np.unique(self.positions)) != len(self.positions):
            raise _not_as_written(folder / "positions.npy", "each position once", "some twice")
        self.images = Images(folder / "images.npy")
        expected = (self.manifest.count, *self.manifest.image_shape)
        if self.images.shape != expected:
            raise _not_as_written(self.images.file.name, f"the shape {expected}", self.images.shape)

    def _integers(self, path: Path, below: int | None) -> np.ndarray:
        """Read integers [N] and check that they are at least 0, and below the bound if there is one."""
        try:
            values = np.load(path)
        except UNREADABLE as error:
            raise _not_as_written(path, "an array", error) from error
        if values.shape != (self.manifest.count,) or values.dtype.kind not in "iu":
            expected = f"{self.manifest.count:,} integers"
            raise _not_as_written(path, expected, f"{values.dtype} of the shape {values.shape}")
        if len(values) and (values.min() < 0 or (below is not None and values.max() >= below)):
            bound = "0 or more" if below is None else f"0 to {below - 1}"
            raise _not_as_written(path, f"values of {bound}", f"{values.min()} to {values.max()}")
        return values


def _not_as_written(path: object, expected: str, received: object) -> errors.BadInput:
    return errors.BadInput(f"{path}: expected {expected}, received {received}; rerun the subset stage")
