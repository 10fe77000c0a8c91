"""The records format: many images per TFRecord, and a manifest beside them.

A split's folder holds the shards of every view, in order, and manifest.json. A view is the data of one
epoch: every image once, or more often where the manifest says that small classes are repeated. A record is a
tf.train.Example of up to `images_per_record` images:

    images     bytes, uint8 [n, H, W, C] in C order
    labels     bytes, little-endian int32 [n]
    positions  bytes, little-endian int64 [n]: each image's place in its published split

Reading runs at 26,000 images/s on two cores with one image per record, and at 326,000 with 512.
"""

import errno
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from stages.inputs import manifest
from stages.running import errors

RECORD_BYTES = 1 << 23  # bytes of the images of a record; a larger image gets its own record
BATCH_BYTES = 1 << 23  # bytes of the images of a batch, except in training
SHUFFLED_RECORDS = 16  # records in memory while a view is read again in another order
PARALLEL_PARSES = 2

_UNREADABLE = (tf.errors.DataLossError, tf.errors.InvalidArgumentError, tf.errors.NotFoundError)

Replicas = tuple[int, int, int]  # the first one, the one behind the last, the number of all
ONE = (0, 1, 1)
Batch = tuple[np.ndarray, np.ndarray, np.ndarray]  # images, labels, positions


def shard_name(view: int, shard: int) -> str:
    """Return the file name of one shard of one view."""
    return f"view-{view:03d}-shard-{shard:02d}.tfrecord"


def serialize(images: np.ndarray, labels: np.ndarray, positions: np.ndarray) -> bytes:
    """Serialize the images of one record; equal arrays give equal bytes.

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


class Split:
    """The records of one split: a folder and its manifest, checked against each other.

    Args:
        folder: The folder.
        stated: Its manifest if it has been read.

    Raises:
        errors.BadInput: see `manifest.read`.
    """

    dtype = tf.uint8  # of the images

    def __init__(self, folder: Path, stated: manifest.Manifest | None = None):
        self.folder = folder
        self.manifest = stated or manifest.read(folder)

    @property
    def image_bytes(self) -> int:
        """The number of bytes of an image."""
        return manifest.image_bytes(self.manifest.image_shape)

    def batch_size(self, largest: int) -> int:
        """Return the number of images of a batch: at most `largest`, at most BATCH_BYTES, at least one."""
        return max(1, min(largest, BATCH_BYTES // self.image_bytes))

    def dataset(
        self, batch_size: int, epochs: Sequence[int] = (0,), seed: int = 0, replicas: Replicas = ONE
    ) -> tf.data.Dataset:
        """Return a dataset of the batches of the given epochs, one epoch after the other.

        A batch is (images uint8 [B, H, W, C], labels int32 [B], positions int64 [B]); the last batch of an
        epoch may be smaller. Epoch e reads view e mod views from front to back. From the second round over
        the views on, shards and records come in an order seeded by (seed, epoch), but the order within a
        record stays.

        `replicas` are those that take a share of each batch here, as `replicas.share` has it. Images outside
        of their shares may be black: decoded ones, which cost nothing, are not.

        One pipeline reads all epochs, because setting one up takes as long as reading 15,000 images of
        32x32x3.
        """

        @tf.autograph.experimental.do_not_convert
        def batched(files: tf.Tensor, records_to_shuffle: tf.Tensor, order: tf.Tensor) -> tf.data.Dataset:
            # A seed for this graph only. With the global seed 0 TensorFlow compares `order` with 0 in Python.
            tf.compat.v1.set_random_seed(1)
            records = tf.data.TFRecordDataset(files).shuffle(records_to_shuffle, seed=order)
            return records.map(self._parse, PARALLEL_PARSES).rebatch(batch_size)

        columns = zip(*(self._source(epoch, seed) for epoch in epochs), strict=True)
        sources = tf.data.Dataset.from_tensor_slices(tuple(map(np.array, columns)))
        return untuned(sources.flat_map(batched).prefetch(2))

    def batches(
        self, batch_size: int, epochs: Sequence[int] = (0,), seed: int = 0, replicas: Replicas = ONE
    ) -> Iterator[Any]:
        """Iterate over `dataset`; raises what `iterate` does."""
        return self.iterate(self.dataset(batch_size, epochs, seed, replicas))

    def blocks(self, view: int, shard: int) -> Iterator[Any]:
        """Iterate over the images of one file as a view has them, in the form of batches.

        Raises:
            errors.BadInput: the file is corrupt or not in the records format.
        """
        return self._readable(self._blocks(shard_name(view, shard)))

    def iterate(self, dataset: Iterable[Any]) -> Iterator[Any]:
        """Iterate over a dataset of whole epochs, made from the one that `dataset` returns.

        Raises:
            errors.BadInput: a file is corrupt or not in the records format, and the message names it; or an
                epoch has not every image as often as the manifest says.
        """
        epoch: list[np.ndarray] = []  # positions
        for batch in self._readable(dataset):
            epoch.append(batch[2].numpy())
            if sum(map(len, epoch)) >= self.manifest.count:
                self._require_all(np.concatenate(epoch))
                epoch = []
            yield batch
        if epoch:
            self._require_all(np.concatenate(epoch))

    def _require_all(self, positions: np.ndarray) -> None:
        """Check that every image is there as often as the manifest says."""
        different, times = np.unique(positions, return_counts=True)
        stated = self.manifest
        if not np.array_equal(np.bincount(times), stated.images_by_times):
            repeated = f", {stated.different:,} of them different" if stated.different < stated.count else ""
            raise errors.BadInput(
                f"{self.folder}: expected {stated.count:,} images{repeated}, received {len(positions):,},"
                f" {len(different):,} of them different; rerun the records stage"
            )

    def _readable(self, dataset: Iterable[Any]) -> Iterator[Any]:
        iterator = iter(dataset)
        while True:
            try:
                batch = next(iterator)
            except StopIteration:
                return
            except _UNREADABLE as error:
                damaged = [name for name in self.manifest.shard_bytes if not self._is_readable(name)]
                if not damaged:
                    raise
                raise errors.BadInput(
                    f"expected records as this pipeline writes them, found a corrupt or foreign file:"
                    f" {', '.join(str(self.folder / name) for name in damaged)}; rerun the records stage"
                ) from error
            yield batch

    def _source(self, epoch: int, seed: int) -> tuple[list[str], np.int64, np.int64]:
        """Return the files an epoch reads, its shuffle buffer in records (1: no shuffling) and its seed."""
        view, repeats = epoch % self.manifest.views, epoch // self.manifest.views
        files = [str(self.folder / shard_name(view, shard)) for shard in range(self.manifest.shards)]
        if not repeats:
            return files, np.int64(1), np.int64(0)
        generator = np.random.default_rng([seed, epoch])
        shuffled = [files[i] for i in generator.permutation(len(files))]
        return shuffled, np.int64(SHUFFLED_RECORDS), generator.integers(2**31, dtype=np.int64)

    def _is_readable(self, name: str) -> bool:
        try:
            for _ in self._blocks(name):
                pass
        except _UNREADABLE:
            return False
        return True

    def _blocks(self, name: str) -> tf.data.Dataset:
        """Return the records of a file."""
        return tf.data.TFRecordDataset(str(self.folder / name)).map(self._parse)

    @tf.autograph.experimental.do_not_convert
    def _parse(self, record: tf.Tensor) -> tuple[tf.Tensor, ...]:
        spec = {name: tf.io.FixedLenFeature([], tf.string) for name in ("images", "labels", "positions")}
        columns = tf.io.parse_single_example(record, spec)
        images = tf.reshape(tf.io.decode_raw(columns["images"], self.dtype), [-1, *self.manifest.image_shape])
        labels = tf.io.decode_raw(columns["labels"], tf.int32, little_endian=True)
        positions = tf.io.decode_raw(columns["positions"], tf.int64, little_endian=True)
        count, num_classes = tf.shape(images)[0], len(self.manifest.classes)
        fits = (tf.size(labels) == count) & (tf.size(positions) == count)
        tf.debugging.Assert(
            fits & tf.reduce_all((labels >= 0) & (labels < num_classes)), ["not of this format"]
        )
        return images, labels, positions


def untuned(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Switch off tf.data's autotuning, whose thread is not always woken at the end of an epoch.

    The thread sleeps 0.01, 0.02, 0.04, ... s between two looks at the pipeline, and the iterator waits for
    it. Under load a third of all epochs that compute for 2.7 s took 5.12 s, which is about the sum of the
    first nine sleeps.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
