"""The manifest of a split's records: the contents of the folder, with checksums."""

import hashlib
import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pydantic

from stages.running import ellipsis, errors, outputs, paramfile

FILE = "manifest.json"
SHOWN = 200  # characters of a value, in an error
LARGEST_DECODED = 4 << 30  # bytes of pixels that are kept decoded if the params leave it open

ImageShape = Annotated[list[paramfile.Size], pydantic.Field(min_length=3, max_length=3)]  # [H, W, C]


class Form(paramfile.Section):
    """How pictures got the shape that they have; see the subset stage."""

    background: str  # behind transparent pixels, as #rrggbb
    resize: str  # squash, crop or pad


class Normalization(paramfile.Section):
    """The scaling of pixels: (pixel - mean) / std, per channel."""

    method: str
    mean: list[float]
    std: list[Annotated[float, pydantic.Field(gt=0)]]


class Encoded(paramfile.Section):
    """How the images are stored of a split that is decoded while it is read; see `encoded`."""

    format: Literal["jpeg", "png"]
    quality: int | None  # of JPEG, 1 to 100
    shard_images: dict[str, paramfile.Count]  # images of each file
    short_side: paramfile.Size | None  # pixels, at most; None if all images have the shape of the manifest


class Manifest(paramfile.Section):
    """The manifest of one split's records."""

    augment: list[dict[str, dict[str, Any] | None]]
    checksum: str  # checksum of all other fields
    class_images: list[paramfile.Count]  # different images of each class
    class_images_in_view: list[paramfile.Count]  # more than different ones where small classes are repeated
    classes: list[str]
    count: paramfile.Count  # images of a view
    encoded: Encoded | None = None  # None if the records hold pixels
    form: Form | None = None  # None of published arrays that are as they were
    image_shape: ImageShape
    images_per_record: paramfile.Size  # at most; of encoded images, that of the largest record
    normalization: Normalization
    seed: int
    shard_bytes: dict[str, paramfile.Count]
    shard_checksums: dict[str, str]
    shards: paramfile.Size  # files of a view; of encoded images, all files
    views: paramfile.Size  # augmented copies; encoded images are augmented anew in every epoch

    @property
    def different(self) -> int:
        """The number of different images."""
        return sum(self.class_images)

    @property
    def images_by_times(self) -> np.ndarray:
        """How many images are in a view never, once, twice, ...: int64, up to the largest number of times.

        A class's images are there equally often, or some of them once more than the others.
        """
        images, in_view = np.array(self.class_images), np.array(self.class_images_in_view)
        times, more = np.divmod(in_view, np.maximum(images, 1))
        found = np.bincount(np.append(times, times + 1), np.append(images - more, more))
        return np.trim_zeros(found.astype(np.int64), "b")

    @pydantic.model_validator(mode="after")
    def _counts_fit(self) -> "Manifest":
        by_class = self.class_images, self.class_images_in_view
        if {len(each) for each in by_class} != {len(self.classes)} or sum(by_class[1]) != self.count:
            raise ValueError(
                f"expected as many images of {len(self.classes):,} classes as count = {self.count:,} says,"
                f" received {ellipsis.cut(str(by_class[1]), SHOWN)}"
            )
        if self.encoded and sum(self.encoded.shard_images.values()) != self.different:
            raise ValueError(
                f"expected {self.different:,} images in all files of encoded ones, received others"
            )
        return self


def write(folder: Path, values: dict[str, Any]) -> None:
    """Write the manifest of the shards in a folder.

    Args:
        folder: The folder of a split.
        values: The fields of `Manifest` without the checksums and the files' sizes.
    """
    files = sorted(folder.glob("*.tfrecord"))
    sizes = {file.name: file.stat().st_size for file in files}
    checksums = {file.name: _checksum_of_file(file) for file in files}
    values = {**values, "shard_bytes": sizes, "shard_checksums": checksums}
    outputs.write_json(folder / FILE, {**values, "checksum": _checksum(values)})


def read(folder: Path) -> Manifest:
    """Read the manifest of a split's folder and check it against the files beside it.

    Raises:
        errors.BadInput: the manifest is missing, damaged or edited, or a shard is missing or not as it
            was written.
    """
    path = folder / FILE
    values = outputs.read_json(path)
    written, expected = values.pop("checksum", None), _checksum(values)
    if written != expected:
        raise errors.BadInput(
            f"{path} is damaged or edited: expected the checksum {expected} of its content, received"
            f" {written}; run `dvc checkout` or rerun the records stage"
        )
    manifest = paramfile.check(Manifest, {**values, "checksum": written}, str(path))
    for name, size in manifest.shard_bytes.items():
        received = (folder / name).stat().st_size if (folder / name).is_file() else None
        if received != size:
            what = "found no file" if received is None else f"found {received:,}"
            raise errors.BadInput(
                f"{folder / name}: expected {size:,} bytes of records, {what};"
                " run `dvc checkout` or rerun the records stage"
            )
    for name, checksum in manifest.shard_checksums.items():
        if _checksum_of_file(folder / name) != checksum:
            raise errors.BadInput(
                f"{folder / name}: expected the records that were written, found others; run `dvc checkout`"
                " or rerun the records stage"
            )
    return manifest


def require_alike(one: Manifest, other: Manifest) -> None:
    """Check that two splits are of one data set: that their images and classes are of one kind.

    Raises:
        errors.BadInput: they are not.
    """
    for name in ("classes", "image_shape", "form", "normalization"):
        expected, received = (ellipsis.cut(str(getattr(each, name)), SHOWN) for each in (one, other))
        if getattr(one, name) != getattr(other, name):
            raise errors.BadInput(
                f"expected records of one kind, received some with {name} = {expected} and others with"
                f" {received}; rerun the records stage"
            )


def image_bytes(image_shape: Sequence[int]) -> int:
    """Return the number of bytes of an image of the shape (H, W, C)."""
    return math.prod(image_shape)


def _checksum(values: dict[str, Any]) -> str:
    content = json.dumps(values, sort_keys=True).encode()
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _checksum_of_file(path: Path) -> str:
    """Hash the lengths of a file's records and their own checksums, which TensorFlow verifies when it reads.

    A record is its length in 8 bytes, the length's checksum in 4, the content, the content's checksum in 4.
    """
    digest = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        while length := file.read(8):
            file.seek(4 + int.from_bytes(length, "little") % path.stat().st_size, os.SEEK_CUR)
            digest.update(length + file.read(4))
    return digest.hexdigest()
