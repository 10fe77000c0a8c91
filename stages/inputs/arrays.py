"""The subset format: one split's images as NumPy arrays on disk, and a manifest beside them.

A split's folder holds

    images.npy     uint8 [N, H, W, C] in C order; not there if pictures are only listed
    labels.npy     int64 [N], in 0..K-1 in the order of the classes
    positions.npy  int64 [N], each image's place in its published split
    manifest.json  see `Manifest`
    names.json     of own pictures; see `names`
"""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from stages.inputs import manifest, names, npy
from stages.running import outputs, paramfile

IMAGES = "images.npy"
STAGE = "subset"  # which writes the arrays


class Listed(paramfile.Section):
    """What there is to know of pictures that are only listed, and decoded by whoever reads them."""

    channels: Literal[1, 3] | None = None  # that they get; None keeps what they have
    published: list[str]  # the splits, one after the other, in which their positions count


class Manifest(paramfile.Section):
    """The manifest of one split's arrays."""

    classes: list[str]
    count: paramfile.Count
    form: manifest.Form | None = None  # None of published arrays that are as they were
    image_shape: manifest.ImageShape
    listed: Listed | None = None  # None if the images are there


def write(
    folder: Path,
    manifest: Manifest,
    images: Iterable[np.ndarray] | None,
    labels: np.ndarray,
    positions: np.ndarray,
    paths: Sequence[str] | np.ndarray | None = None,
) -> None:
    """Write one split to a new folder, image by image.

    Args:
        folder: The folder to create.
        manifest: The number of images, their shape and their classes.
        images: uint8 [H, W, C] each; None for pictures that are only listed.
        labels: int64 [N].
        positions: int64 [N].
        paths: The N paths of own pictures; None for published images.

    Raises:
        OSError: the disk is full.
    """
    folder.mkdir()
    if paths is not None:
        names.write(folder, positions, paths)
    npy.save(folder / "labels.npy", labels)
    npy.save(folder / "positions.npy", positions)
    if images is not None:
        _save_images(folder / IMAGES, images, (manifest.count, *manifest.image_shape))
    outputs.write_json(folder / "manifest.json", manifest.model_dump(exclude_none=True))


def _save_images(path: Path, images: Iterable[np.ndarray], shape: tuple[int, ...]) -> None:
    with path.open("wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        for image in images:
            file.write(image.tobytes())


class Images:
    """The images of one split, uint8 [N, H, W, C], read from their file when they are indexed.

    A memory map would do the same, but everything it has read counts as memory of the process, in the end
    the whole file. Reading is as fast: 700,000 images/s of 32x32x3 from the system's cache.
    """

    def __init__(self, path: Path, shape: tuple[int, ...]):
        self.file = npy.opened(path, np.uint8, shape, STAGE)
        self.shape, self.first_byte = shape, self.file.tell()

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


class Chosen:
    """The labels and positions of one split's images, which may be only listed.

    Raises:
        errors.BadInput: an array is missing, damaged, or of another shape or type than its manifest says;
            a label is of no class; or a position is there twice.
    """

    def __init__(self, folder: Path):
        path = folder / "manifest.json"
        self.manifest = outputs.read(Manifest, path)
        count = self.manifest.count
        self.labels = npy.integers(folder / "labels.npy", count, len(self.manifest.classes), STAGE)
        self.positions = npy.integers(folder / "positions.npy", count, None, STAGE)
        if len(np.unique(self.positions)) != count:
            raise npy.not_as_written(folder / "positions.npy", "each position once", "some twice", STAGE)


class Split(Chosen):
    """One split as it was written, checked against its manifest; the images stay on disk.

    Raises:
        errors.BadInput: see `Chosen`, or the images are not there.
    """

    def __init__(self, folder: Path):
        super().__init__(folder)
        self.images = Images(folder / IMAGES, (self.manifest.count, *self.manifest.image_shape))


def read(folder: Path) -> Chosen:
    """Open a split: a `Split`, or only what was `Chosen` if its pictures are listed."""
    chosen = Chosen(folder)
    return chosen if chosen.manifest.listed else Split(folder)
