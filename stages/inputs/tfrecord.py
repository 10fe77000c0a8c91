"""The records format: many images per TFRecord, and a manifest beside them.

A split's folder holds, for every view, its shards in order, and manifest.json. A view is one epoch:
every image once. A record is a tf.train.Example of up to `images_per_record` images:

    images     bytes, uint8 [n, H, W, C] in C order
    labels     bytes, little-endian int32 [n]
    positions  bytes, little-endian int64 [n]: each image's place in its published split

Reading one image per record runs at 26,000 images/s on two cores, 512 per record at 326,000.
"""

import errno
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pydantic
import tensorflow as tf

from stages.running import errors, outputs, paramfile

RECORD_BYTES = 1 << 23  # of the images of a record; a larger image has a record of its own
BATCH_BYTES = 1 << 23  # of the images of a batch that is not trained on
SHUFFLED_RECORDS = 16  # held in memory while a view is read again in another order
PARALLEL_PARSES = 2

_UNREADABLE = (tf.errors.DataLossError, tf.errors.InvalidArgumentError, tf.errors.NotFoundError)

Batch = tuple[np.ndarray, np.ndarray, np.ndarray]  # images, labels, positions


Count = Annotated[int, pydantic.Field(ge=0)]
Size = Annotated[int, pydantic.Field(ge=1)]


class Normalization(paramfile.Section):
    """How pixels are scaled: (pixel - mean) / std, per channel."""

    method: str
    mean: list[float]
    std: list[Annotated[float, pydantic.Field(gt=0)]]


class Manifest(paramfile.Section):
    """What a split's folder holds."""

    augment: list[dict[str, dict[str, Any] | None]]
    checksum: str  # of all the rest
    classes: list[str]
    count: Count  # images of a view
    image_shape: Annotated[list[Size], pydantic.Field(min_length=3, max_length=3)]  # [H, W, C]
    images_per_record: Size  # at most
    normalization: Normalization
    seed: int
    shard_bytes: dict[str, Count]
    shard_checksums: dict[str, str]
    shards: Size  # files of a view
    views: Size


def shard_name(view: int, shard: int) -> str:
    """The file name of one shard of one view."""
    return f"view-{view:03d}-shard-{shard:02d}.tfrecord"


def serialize(images: np.ndarray, labels: np.ndarray, positions: np.ndarray) -> bytes:
    """One record. Equal arrays give equal bytes.

    Args:
        images: uint8 [n, H, W, C].
        labels: Any integers [n].
        positions: Any integers [n].
    """
    columns = {
        "images": images.tobytes(),
        "labels": labels.astype("<i4").tobytes(),
        "positions": positions.astype("<i8").tobytes(),
    }
    features = {
        name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[content]))
        for name, content in columns.items()
    }
    example = tf.train.Example(features=tf.train.Features(feature=features))
    return example.SerializeToString(deterministic=True)


def write_shard(path: Path, records: Iterable[bytes]) -> None:
    """Write serialized records to one file.

    Raises:
        OSError: the disk is full.
    """
    try:
        with tf.io.TFRecordWriter(str(path)) as writer:
            for record in records:
                writer.write(record)
    except tf.errors.ResourceExhaustedError as error:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error


def write_manifest(folder: Path, values: dict[str, Any]) -> None:
    """Write the manifest of the shards in a folder.

    Args:
        folder: Of a split.
        values: The fields of `Manifest`, but for the checksums and the files' sizes.
    """
    files = sorted(folder.glob("*.tfrecord"))
    sizes = {file.name: file.stat().st_size for file in files}
    checksums = {file.name: _checksum_of_file(file) for file in files}
    values = {**values, "shard_bytes": sizes, "shard_checksums": checksums}
    outputs.write_json(folder / "manifest.json", {**values, "checksum": _checksum(values)})


def _checksum(values: dict[str, Any]) -> str:
    content = json.dumps(values, sort_keys=True).encode()
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _checksum_of_file(path: Path) -> str:
    """A checksum of a file's record lengths and of the records' own checksums, which TensorFlow verifies when
    it reads: each record is 8 bytes of length, 4 of its checksum, the content, 4 of its checksum."""
    found = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        while length := file.read(8):
            file.seek(4 + int.from_bytes(length, "little") % path.stat().st_size, os.SEEK_CUR)
            found.update(length + file.read(4))
    return found.hexdigest()


def read_manifest(folder: Path) -> dict[str, Any]:
    """The fields of `Manifest` of a split's folder, checked against the files beside it.

    Raises:
        errors.BadInput: no manifest, a damaged or edited one, or a shard that is missing or not as it was
            written.
    """
    path = folder / "manifest.json"
    values = outputs.read_json(path)
    written, expected = values.pop("checksum", None), _checksum(values)
    if written != expected:
        raise errors.BadInput(
            f"{path} is damaged or edited: expected the checksum {expected} of its content, received"
            f" {written}; run `dvc checkout` or rerun the records stage"
        )
    manifest = paramfile.check(Manifest, {**values, "checksum": written}, str(path)).model_dump()
    for name, size in manifest["shard_bytes"].items():
        found = (folder / name).stat().st_size if (folder / name).is_file() else None
        if found != size:
            received = "found no file" if found is None else f"found {found:,}"
            raise errors.BadInput(
                f"{folder / name}: expected {size:,} bytes of records, {received};"
                " run `dvc checkout` or rerun the records stage"
            )
    for name, checksum in manifest["shard_checksums"].items():
        if _checksum_of_file(folder / name) != checksum:
            raise errors.BadInput(
                f"{folder / name}: expected the records that were written, found others; run `dvc checkout`"
                " or rerun the records stage"
            )
    return manifest


def image_bytes(image_shape: Sequence[int]) -> int:
    """The bytes of an image of the shape (H, W, C)."""
    return int(np.prod(image_shape))


def batch_size(manifest: dict[str, Any], most: int) -> int:
    """How many images make a batch of at most `most` images and BATCH_BYTES: at least one."""
    return max(1, min(most, BATCH_BYTES // image_bytes(manifest["image_shape"])))


def dataset(
    folder: Path, manifest: dict[str, Any], batch_size: int, epochs: Sequence[int] = (0,), seed: int = 0
) -> tf.data.Dataset:
    """Epochs, one after the other, as batches of (images uint8 [B, H, W, C], labels int32 [B], positions
    int64 [B]).

    Epoch e reads view e mod views, front to back; its last batch may be smaller. From the second round
    over the views on, shards and records come in an order seeded by (seed, epoch), since the order
    within a record stays.

    One pipeline reads them all: to set it up takes as long as reading 15,000 images of 32x32x3.
    """
    image_shape, num_classes = _layout(manifest)

    @tf.autograph.experimental.do_not_convert
    def batched(files: tf.Tensor, records_to_shuffle: tf.Tensor, order: tf.Tensor) -> tf.data.Dataset:
        # The seed of this graph alone. Beside the global seed 0 TensorFlow compares `order` with 0 in Python.
        tf.compat.v1.set_random_seed(1)
        records = tf.data.TFRecordDataset(files).shuffle(records_to_shuffle, seed=order)
        parsed = records.map(lambda record: _parse(record, image_shape, num_classes), PARALLEL_PARSES)
        return parsed.rebatch(batch_size)

    columns = zip(*(_source(folder, manifest, epoch, seed) for epoch in epochs), strict=True)
    sources = tf.data.Dataset.from_tensor_slices(tuple(map(np.array, columns)))
    return untuned(sources.flat_map(batched).prefetch(2))


def _source(
    folder: Path, manifest: dict[str, Any], epoch: int, seed: int
) -> tuple[list[str], np.int64, np.int64]:
    """An epoch's files in order; how many of their records are held to draw from, where one is no shuffle;
    and the seed of these draws."""
    view, repeats = epoch % manifest["views"], epoch // manifest["views"]
    files = [str(folder / shard_name(view, shard)) for shard in range(manifest["shards"])]
    if not repeats:
        return files, np.int64(1), np.int64(0)
    generator = np.random.default_rng([seed, epoch])
    shuffled = [files[i] for i in generator.permutation(len(files))]
    return shuffled, np.int64(SHUFFLED_RECORDS), generator.integers(2**31, dtype=np.int64)


def untuned(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """The dataset without tf.data's autotuning, whose thread is not always woken at the end of an epoch.

    It sleeps 0.01, 0.02, 0.04, ... s between two looks at the pipeline, and the iterator waits for it:
    under load a third of all epochs that compute for 2.7 s took 5.12 s, the sum of the first nine.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)


def _layout(manifest: dict[str, Any]) -> tuple[tuple[int, ...], int]:
    """The images' shape, and how many classes they are of."""
    return tuple(manifest["image_shape"]), len(manifest["classes"])


def _parse(record: tf.Tensor, image_shape: Sequence[int], num_classes: int) -> tuple[tf.Tensor, ...]:
    spec = {name: tf.io.FixedLenFeature([], tf.string) for name in ("images", "labels", "positions")}
    columns = tf.io.parse_single_example(record, spec)
    images = tf.reshape(tf.io.decode_raw(columns["images"], tf.uint8), [-1, *image_shape])
    labels = tf.io.decode_raw(columns["labels"], tf.int32, little_endian=True)
    positions = tf.io.decode_raw(columns["positions"], tf.int64, little_endian=True)
    count = tf.shape(images)[0]
    fits = (tf.size(labels) == count) & (tf.size(positions) == count)
    tf.debugging.Assert(fits & tf.reduce_all((labels >= 0) & (labels < num_classes)), ["not of this format"])
    return images, labels, positions


def batches(dataset: Iterable[Any], folder: Path) -> Iterator[Any]:
    """Iterate over a dataset of records.

    Raises:
        errors.BadInput: a file is corrupt or not in the records format; it is named.
    """
    iterator = iter(dataset)
    while True:
        try:
            batch = next(iterator)
        except StopIteration:
            return
        except _UNREADABLE as error:
            manifest = outputs.read_json(folder / "manifest.json")
            damaged = [name for name in manifest["shard_bytes"] if not _is_readable(folder / name, manifest)]
            if not damaged:
                raise
            raise errors.BadInput(
                f"expected records as this pipeline writes them, found a corrupt or foreign file:"
                f" {', '.join(str(folder / name) for name in damaged)}; rerun the records stage"
            ) from error
        yield batch


def _is_readable(path: Path, manifest: dict[str, Any]) -> bool:
    records = tf.data.TFRecordDataset(str(path)).map(lambda record: _parse(record, *_layout(manifest)))
    try:
        for _ in records:
            pass
    except _UNREADABLE:
        return False
    return True
