"""Train whole epochs in the accelerator's memory: it holds the training images, and XLA runs the steps.

If Python starts each step, a GPU is idle while Python reads a batch and starts the next one; a step of a
small network takes only a millisecond or two.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from stages.inputs import tfrecord
from stages.layers import xla
from stages.training import counts, stepping

LARGEST = 2 * 2**30  # bytes of training images for which every GPU is assumed to have room
STEPS = 500  # steps per call; after each call progress is shown and the loss is checked


class Epoch(NamedTuple):
    """A view of the training images, and the order in which an epoch takes them."""

    images: tf.Tensor  # uint8 [N, H, W, C]
    labels: tf.Tensor  # int32 [N]
    order: tf.Tensor  # int32 [N]


class Views:
    """The views that some epochs read, with their images in a device's memory.

    From the second round over the views on, the images of a view come in an order seeded by (seed, epoch).
    `tfrecord.Split.dataset` gives another order, because it holds only a few records in memory.

    Raises:
        errors.BadInput: a file is corrupt or not in the records format.
    """

    def __init__(self, split: tfrecord.Split, epochs: int, seed: int, device: str):
        self.count, self.seed = split.manifest.count, seed
        read = range(min(epochs, split.manifest.views))
        with tf.device(device):
            self.views = [
                (tf.identity(images), tf.identity(labels))
                for images, labels, _ in split.batches(self.count, read)
            ]

    def epoch(self, number: int) -> Epoch:
        """Return an epoch, counted from 0."""
        order = np.arange(self.count, dtype=np.int32)
        if number >= len(self.views):
            order = np.random.default_rng([self.seed, number]).permutation(order)
        return Epoch(*self.views[number % len(self.views)], tf.constant(order))


def size(split: tfrecord.Split, epochs: int) -> int:
    """Return the number of bytes of the images that the given number of epochs reads."""
    held = split.manifest
    return split.image_bytes * held.count * min(epochs, held.views)


def prepare(
    trainers: Sequence[Any],
    split: tfrecord.Split,
    epochs: int,
    seed: int,
    device: str,
) -> Callable[[int], Epoch]:
    """Load the images that the epochs read into a device's memory, and compile each `Trainer` for them.

    The time that this takes is printed.

    Returns:
        `Views.epoch`.

    Raises:
        errors.BadInput: a file is corrupt or not in the records format.
    """
    began = time.perf_counter()
    views = Views(split, epochs, seed, device)
    loaded = time.perf_counter()
    for trainer in dict.fromkeys(trainers):
        trainer.compile(views.epoch(0))
    compiled = time.perf_counter()
    seconds = f"images to the device {loaded - began:.1f} s, compilation {compiled - loaded:.1f} s"
    print(f"prepared in {compiled - began:.1f} s: {seconds}", flush=True)
    return views.epoch


class Trainer(stepping.Trainer):
    """A trainer that takes the epochs of `Views`, in batches of `batch_size` images."""

    checked_pieces = 1

    def __init__(self, *common: Any, batch_size: int, **others: Any):
        super().__init__(*common, **others)
        self.batch_size = batch_size
        self.train_batches = xla.compiled(self._batches)

    def compile(self, epoch: Epoch) -> None:
        """Compile the steps by running one of each batch size, then restore all variables."""
        variables = [*self.network.variables, *self.optimizer.variables]  # including the seeds of dropout
        before = [variable.numpy() for variable in variables]
        for size in {self.batch_size, len(epoch.order) % self.batch_size} - {0}:
            if size <= len(epoch.order):
                totals = self.train_batches(epoch, tf.constant(0), tf.constant(size), size)
                float(totals.loss)  # waits for it
        for variable, value in zip(variables, before, strict=True):
            variable.assign(value)

    def _batches(self, epoch: Epoch, begin: tf.Tensor, end: tf.Tensor, size: int) -> counts.Totals:
        """Train on the images from `begin` up to `end`; their number is a multiple of `size`."""

        def train(at: tf.Tensor, totals: counts.Totals) -> tuple[tf.Tensor, counts.Totals]:
            batch = tf.slice(epoch.order, [at], [size])
            images, labels = tf.gather(epoch.images, batch), tf.gather(epoch.labels, batch)
            return at + size, totals.add(self._train(images, labels))

        nothing = counts.Totals(*(tf.zeros([]) for _ in counts.Totals._fields))
        return tf.while_loop(lambda at, _: at < end, train, (begin, nothing))[1]

    def _pieces(self, epoch: Epoch) -> Iterator[counts.Totals]:
        count = len(epoch.order)
        full = count - count % self.batch_size
        for begin in range(0, full, STEPS * self.batch_size):
            end = min(begin + STEPS * self.batch_size, full)
            yield self.train_batches(epoch, tf.constant(begin), tf.constant(end), self.batch_size)
        if full < count:
            yield self.train_batches(epoch, tf.constant(full), tf.constant(count), count - full)
