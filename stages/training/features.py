"""Train the head of a frozen network on features that are computed once for each stored view.

The features are kept as records in temporary files, outside of DVC's outputs, and are read as images are. So
the head takes the same images in the same order as behind the backbone, and learns the same within rounding.
Encoded images, which are another view in every epoch, have as many views here as the records' manifest says.
"""

import math
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import keras
import tensorflow as tf

from stages.classifier import assembly, test_time_augmentation
from stages.inputs import tfrecord
from stages.running import disk, progress
from stages.training import execution, frozen

BATCH_BYTES = 1 << 23  # bytes of the images of a batch as the backbone takes them, in float32

Epochs = Callable[[int], Iterable]  # returns the batches of an epoch, counted from 0


class Split(tfrecord.Split):
    """The features of a split's images, in records like those of the images.

    The features of a view are computed when it is first read. The files are removed with the object.

    Args:
        images: The split.
        compute: From images, uint8 [B, H, W, C], to features, float [B, ...].
        values: The number of values of an image as `compute` works on it.
        views: The number of views that will be read, each by one of the first epochs.
        name: The split in words.

    Raises:
        errors.BadInput: the disk has no room for the features.
    """

    def __init__(self, images: tfrecord.Split, compute: keras.Model, values: int, views: int, name: str):
        self.images, self.views, self.name = images, views, name
        self.at_once = max(1, BATCH_BYTES // (4 * values))
        shape, self.dtype = list(compute.output.shape[1:]), tf.as_dtype(compute.output.dtype)
        self.manifest = images.manifest.model_copy(update={"image_shape": shape})
        self.folder = Path(tempfile.mkdtemp(prefix="features-"))
        weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        needed = math.prod(shape) * self.dtype.size * self.manifest.count * views
        disk.require_space(self.folder, needed, "set TMPDIR to a folder on a disk with more")
        self.compute = tf.function(
            lambda pixels: compute(pixels, training=False),
            input_signature=[tf.TensorSpec(compute.input.shape, tf.uint8)],
        )

    def streamed(self, batch_size: int, epochs: Sequence[int], seed: int = 0) -> Epochs:
        """Return a function that takes a place in `epochs`, consecutive numbers, and returns its batches.

        A batch is (features, float [B, ...], labels, int32 [B], positions, int64 [B]); see
        `tfrecord.Split.dataset`. The first epoch of each view computes its features and has a pipeline of its
        own; all others share one, because setting one up takes as long as fifty steps of a head.

        The function raises errors.BadInput if a file of images is corrupt.
        """
        shared = execution.in_turn(
            lambda place: self.batches(batch_size, epochs[place:], seed),
            math.ceil(self.manifest.count / batch_size),
        )

        def batches(place: int) -> Iterator:
            view = epochs[place] % self.manifest.views
            if self.is_computed(view):  # then all views of later epochs are, too
                return shared(place)
            self.compute_view(view)
            return self.batches(batch_size, [epochs[place]], seed)

        return batches

    def is_computed(self, view: int) -> bool:
        """True if the features of a view are there."""
        return (self.folder / tfrecord.shard_name(view, self.manifest.shards - 1)).exists()

    def compute_view(self, view: int) -> None:
        """Compute the features of a view."""
        label = f"features of {self.name}, view {view + 1}/{self.views}"
        with progress.bar(self.manifest.count, label, "images") as bar:
            for shard in range(self.manifest.shards):
                name = tfrecord.shard_name(view, shard)
                tfrecord.write_shard(self.folder / name, self._records(view, shard, bar))

    def _records(self, view: int, shard: int, bar: progress.Bar) -> Iterator[bytes]:
        """Compute the records of a file."""
        for images, labels, positions in self.images.blocks(view, shard):
            pieces = []
            for begin in range(0, len(images), self.at_once):
                pieces.append(self.compute(images[begin : begin + self.at_once]))
                bar.update(len(pieces[-1]))
            yield tfrecord.serialize(tf.concat(pieces, axis=0).numpy(), labels.numpy(), positions.numpy())


def parts(
    how: execution.Execution,
    network: keras.Model,
    classifier: assembly.Classifier,
    looks: test_time_augmentation.Looks,
) -> frozen.Parts | None:
    """Cut a classifier for features that are computed once, and say so; None where that cannot be.

    See `frozen.cut` for the arguments. Epochs in a device's memory and `tf.distribute` strategies run the
    backbone in every epoch.
    """
    found = None
    if how != "resident" and not tf.distribute.has_strategy():
        found = frozen.cut(network, classifier, looks)
    runs = "once for each view that is read" if found else "in every epoch"
    print(f"while only the head is trained, the backbone runs {runs}", flush=True)
    return found


def training(
    parts: frozen.Parts | None,
    split: tfrecord.Split,
    batch_size: int,
    head_epochs: int,
    epochs: int,
    seed: int,
) -> Epochs:
    """Return a function that returns the batches of an epoch: first of features, then of images.

    Args:
        parts: The classifier in parts; None takes images in every epoch.
        split: The training records.
        batch_size: The number of images in a batch.
        head_epochs: The number of epochs that take features.
        epochs: The number of all epochs.
        seed: The seed of the order in later rounds over the views.

    Raises:
        errors.BadInput: the disk has no room for the features.
    """
    if parts is None:
        return execution.streamed(split, batch_size, range(epochs), seed)
    views = min(head_epochs, split.manifest.views)
    made = Split(split, parts.features, parts.backbone_values, views, "the training images")
    return _in_turn(head_epochs, made, batch_size, range(epochs), seed)


def validation(
    parts: frozen.Parts | None, split: tfrecord.Split, batch_size: int, head_epochs: int, epochs: int
) -> Epochs | None:
    """Do as `training` does for validation images, of which every look has features; None without any."""
    if not split.manifest.count:
        return None
    if parts is None:
        return execution.streamed(split, batch_size, [0] * epochs)
    made = Split(split, parts.looks, parts.backbone_values, 1, "the validation images")
    return _in_turn(head_epochs, made, batch_size, [0] * epochs)


def _in_turn(count: int, made: Split, batch_size: int, epochs: Sequence[int], seed: int = 0) -> Epochs:
    """Return a function that takes the first `count` of some epochs from features, the others from images."""
    first = made.streamed(batch_size, epochs[:count], seed)
    if len(epochs) == count:
        return first
    others = execution.streamed(made.images, batch_size, epochs[count:], seed)
    return lambda place: first(place) if place < count else others(place - count)
