"""The encoded records format: one copy of each image as a JPEG or PNG file, augmented while it is read.

A split's folder holds the shards, manifest.json and labels.npy, int64 [N]: the label of each image. A record
has some images; see `encoded_example`.

What an epoch makes of an image is a function of (records.seed, epoch, image), by the draws with which decoded
records are written: as long as those have a view for an epoch, both ways give the same pixels of the same
stored image.
"""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from stages.inputs import augment, balance, encoded_example, manifest, npy, resized_crop, tfrecord
from stages.running import cores

LABELS = "labels.npy"
STAGE = "records"  # which writes the labels
RECORD_BYTES = 1 << 20  # of the encoded images of a record
SHUFFLED_BYTES = 1 << 26  # of encoded images among which the next one is chosen
BLOCK_BYTES = 1 << 20  # of the pixels of images that are augmented at a time; they fit a core's cache
SHARDS_AT_ONCE = 4  # from which records are taken in turn


def shard_name(shard: int) -> str:
    """Return the file name of one shard."""
    return f"shard-{shard:05d}.tfrecord"


def read(folder: Path) -> tfrecord.Split:
    """Open a split's records, encoded or decoded.

    Raises:
        errors.BadInput: see `manifest.read`; or the labels of encoded images are not those of the manifest.
    """
    stated = manifest.read(folder)
    return Split(folder, stated) if stated.encoded else tfrecord.Split(folder, stated)


class Split(tfrecord.Split):
    """The encoded records of one split.

    Raises:
        errors.BadInput: see `read`.
    """

    def __init__(self, folder: Path, stated: manifest.Manifest):
        super().__init__(folder, stated)
        self.operations = augment.parse(stated.augment)
        self.labels = _labels(folder / LABELS, stated)
        self.is_jpeg = stated.encoded is not None and stated.encoded.format == "jpeg"
        first = self.operations[0] if self.operations else None
        self.crop = first if isinstance(first, resized_crop.RandomResizedCrop) else None
        # All operations' draws; at least one: TensorFlow 2.21 crashes when it unbatches rows of none.
        self.draws = max(1, sum(each.draws for each in self.operations))
        self.times = functools.lru_cache(maxsize=2)(self._times)

    def dataset(
        self,
        batch_size: int,
        epochs: Sequence[int] = (0,),
        seed: int = 0,
        replicas: tfrecord.Replicas = tfrecord.ONE,
    ) -> tf.data.Dataset:
        """Return a dataset of the batches of the given epochs, one epoch after the other.

        See `tfrecord.Split.dataset` for a batch. Images that no replica here takes are not decoded: they are
        black. In every epoch the shards come in an order seeded by (seed,
        epoch), and the images of some of them are shuffled in a buffer of `SHUFFLED_BYTES`. Images are
        decoded in parallel, and come in the same order on any machine.
        """

        @tf.autograph.experimental.do_not_convert
        def batched(files: tf.Tensor, epoch: tf.Tensor, order: tf.Tensor) -> tf.data.Dataset:
            tf.compat.v1.set_random_seed(1)  # see `tfrecord.Split.dataset`
            names = tf.data.Dataset.from_tensor_slices(files)
            records = names.interleave(tf.data.TFRecordDataset, cycle_length=SHARDS_AT_ONCE)
            images = self._images(records, epoch).shuffle(self._buffer, seed=order)
            return self._decoded(images, batch_size, replicas)

        columns = zip(*(self._order(epoch, seed) for epoch in epochs), strict=True)
        sources = tf.data.Dataset.from_tensor_slices(tuple(map(np.array, columns)))
        return tfrecord.untuned(sources.flat_map(batched).prefetch(2))

    def blocks(self, view: int, shard: int) -> Any:
        """Iterate over the images of one file as the epoch of that number has them, in the form of batches.

        Raises:
            errors.BadInput: the file is corrupt or not in the records format.
        """
        return self._readable(self._blocks(shard_name(shard), view))

    def _blocks(self, name: str, view: int = 0) -> tf.data.Dataset:
        records = tf.data.TFRecordDataset(str(self.folder / name))
        return self._decoded(self._images(records, tf.constant(view, tf.int64)), self.batch_size(500))

    def _order(self, epoch: int, seed: int) -> tuple[list[str], np.int64, np.int64]:
        """Return the files in the order of an epoch, its number, and the seed of the images' order."""
        generator = np.random.default_rng([seed, epoch])
        files = [str(self.folder / shard_name(i)) for i in generator.permutation(self.manifest.shards)]
        return files, np.int64(epoch), generator.integers(2**31, dtype=np.int64)

    @property
    def _buffer(self) -> int:
        """The number of images that are shuffled at a time."""
        mean = sum(self.manifest.shard_bytes.values()) // max(1, self.manifest.different)
        return max(1, SHUFFLED_BYTES // max(1, mean))

    def _times(self, epoch: int) -> np.ndarray:
        """Count how often each image is in an epoch: int64 [N]."""
        stated = self.manifest
        if stated.class_images == stated.class_images_in_view:
            return np.ones(len(self.labels), np.int64)
        places, _ = balance.repeated(self.labels, np.array(stated.class_images_in_view), stated.seed, epoch)
        return np.bincount(places, minlength=len(self.labels))

    def _drawn(self, epoch: np.ndarray, labels: np.ndarray, places: np.ndarray) -> tuple[np.ndarray, ...]:
        """Choose which of a record's images are in an epoch, and draw what happens to them.

        Args:
            epoch: int64 [].
            labels: int32 [n].
            places: int64 [n].

        Returns:
            Indices of the record's images, int64 [m], and the draws, float32 [m, D]; see `draws`.
        """
        if not ((places >= 0) & (places < len(self.labels))).all() or (labels != self.labels[places]).any():
            raise ValueError("not of this format")
        times = self.times(int(epoch))[places]
        which = np.repeat(np.arange(len(places)), times)
        copies = np.arange(len(which)) - np.repeat(np.cumsum(times) - times, times)
        numbers = places[which] + copies * len(self.labels)
        draws = augment.draw(self.operations, self.manifest.seed, int(epoch), numbers)
        return which, draws if draws.size else np.zeros((len(which), self.draws), np.float32)

    def _images(self, records: tf.data.Dataset, epoch: tf.Tensor) -> tf.data.Dataset:
        """Return the encoded images of records, one by one: bytes, box, draws, label, position."""

        @tf.autograph.experimental.do_not_convert
        def parsed(record: tf.Tensor) -> tuple[tf.Tensor, ...]:
            found = encoded_example.parse(record)
            given = [epoch, found.labels, found.places]
            which, draws = tf.numpy_function(self._drawn, given, [tf.int64, tf.float32], stateful=False)
            which = tf.ensure_shape(which, [None])
            draws = tf.ensure_shape(draws, [None, self.draws])
            parts = (found.images, found.labels, found.positions, found.sizes)
            images, labels, positions, sizes = (tf.gather(part, which) for part in parts)
            if self.crop:
                boxes = self.crop.boxes(draws[:, : self.crop.draws], sizes)
            else:
                boxes = tf.concat([tf.zeros_like(sizes), sizes], axis=1)
            return images, boxes, draws, labels, positions

        return records.map(parsed, tfrecord.PARALLEL_PARSES, deterministic=True).unbatch()

    def _decoded(
        self, images: tf.data.Dataset, batch_size: int, replicas: tfrecord.Replicas = tfrecord.ONE
    ) -> tf.data.Dataset:
        """Return the batches of encoded images, decoded and augmented."""

        @tf.autograph.experimental.do_not_convert
        def decode_shares(number: tf.Tensor, image: tuple[tf.Tensor, ...]) -> tuple[tf.Tensor, ...]:
            content, box, *others = image
            first, behind, count = replicas
            place = number % batch_size
            size = tf.minimum(self.manifest.count - (number - place), batch_size)
            is_here = (size * first // count <= place) & (place < size * behind // count)
            black = functools.partial(tf.zeros, self.manifest.image_shape, self.dtype)
            return tf.cond(is_here, lambda: self._decode(content, box)[0], black), *others

        if replicas[:2] == (0, replicas[2]):
            decoded = images.map(self._decode, cores.usable(), deterministic=True)
        else:
            decoded = images.enumerate().map(decode_shares, cores.usable(), deterministic=True)
        blocks = decoded.batch(max(1, BLOCK_BYTES // self.image_bytes))
        return blocks.map(self._augment, cores.usable(), deterministic=True).rebatch(batch_size)

    @tf.autograph.experimental.do_not_convert
    def _decode(self, content: tf.Tensor, box: tf.Tensor, *others: tf.Tensor) -> tuple[tf.Tensor, ...]:
        height, width, channels = self.manifest.image_shape
        if self.is_jpeg:
            # Only the part is decoded. Colours are stored at half the resolution; in the part's outermost
            # columns they are not mixed with those beside it.
            image = tf.image.decode_and_crop_jpeg(content, box, channels, dct_method="INTEGER_ACCURATE")
        else:
            image = resized_crop.cropped(tf.io.decode_png(content, channels), box)
        if self.crop:
            image = resized_crop.scaled(image, height, width)
        return tf.ensure_shape(image, [height, width, channels]), *others

    @tf.autograph.experimental.do_not_convert
    def _augment(
        self, images: tf.Tensor, draws: tf.Tensor, labels: tf.Tensor, positions: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        done = int(self.crop is not None)
        column = sum(each.draws for each in self.operations[:done])
        return augment.apply(self.operations[done:], images, draws[:, column:]), labels, positions


def _labels(path: Path, stated: manifest.Manifest) -> np.ndarray:
    """Read the labels of all images, int64 [N]."""
    classes = len(stated.classes)
    labels = npy.integers(path, stated.different, classes, STAGE)
    if np.bincount(labels, minlength=classes).tolist() != stated.class_images:
        raise npy.not_as_written(path, "labels as the manifest counts them", "others", STAGE)
    return labels
