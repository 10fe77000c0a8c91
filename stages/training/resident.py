"""Epochs in the accelerator's memory: the training images stand there, and XLA runs an epoch's steps.

A step at a time leaves a GPU idle while Python reads a batch and starts the next step; a small network's
step takes a millisecond or two.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from stages.inputs import tfrecord
from stages.layers import xla
from stages.training import loop

LARGEST = 2 * 2**30  # bytes of training images up to which a GPU is taken to have room for them
STEPS = 500  # of one call; progress is shown, and the loss looked at, after each


class Epoch(NamedTuple):
    """A view, and the order in which an epoch takes its images."""

    images: tf.Tensor  # uint8 [N, H, W, C]
    labels: tf.Tensor  # int32 [N]
    order: tf.Tensor  # int32 [N]


class Views:
    """The views that some epochs read, their images in a device's memory.

    From the second round over the views on, the images of one come in an order seeded by (seed, epoch);
    `tfrecord.Split.dataset` has another, since it holds but a few records.

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
        """An epoch, counted from 0."""
        order = np.arange(self.count, dtype=np.int32)
        if number >= len(self.views):
            order = np.random.default_rng([self.seed, number]).permutation(order)
        return Epoch(*self.views[number % len(self.views)], tf.constant(order))


def size(split: tfrecord.Split, epochs: int) -> int:
    """The bytes of the images that a number of epochs reads."""
    held = split.manifest
    return split.image_bytes * held.count * min(epochs, held.views)


def prepare(
    trainers: Sequence[Any],
    split: tfrecord.Split,
    epochs: int,
    seed: int,
    device: str,
) -> Callable[[int], Epoch]:
    """Put what so many epochs read into a device's memory, and have each `Trainer` compiled for it.

    Prints how long it took. Returns `Views.epoch`.

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


class Trainer(loop.Trainer):
    """A trainer whose epochs are those of `Views`, taken in batches of `batch_size` images."""

    checked_pieces = 1

    def __init__(self, *common: Any, batch_size: int, **others: Any):
        super().__init__(*common, **others)
        self.batch_size = batch_size
        self.train_batches = xla.compiled(self._batches)

    def compile(self, epoch: Epoch) -> None:
        """Have what an epoch runs compiled and set up, by a step of each size that is then undone."""
        variables = [*self.network.variables, *self.optimizer.variables]  # seeds of dropout among them
        before = [variable.numpy() for variable in variables]
        for size in {self.batch_size, len(epoch.order) % self.batch_size} - {0}:
            if size <= len(epoch.order):
                totals = self.train_batches(epoch, tf.constant(0), tf.constant(size), size)
                float(totals.loss)  # waits for it
        for variable, value in zip(variables, before, strict=True):
            variable.assign(value)

    def _batches(self, epoch: Epoch, begin: tf.Tensor, end: tf.Tensor, size: int) -> loop.Totals:
        """Train on the images from `begin` up to `end`, a multiple of `size` of them."""

        def train(at: tf.Tensor, totals: loop.Totals) -> tuple[tf.Tensor, loop.Totals]:
            batch = tf.slice(epoch.order, [at], [size])
            images, labels = tf.gather(epoch.images, batch), tf.gather(epoch.labels, batch)
            return at + size, totals.add(self._train(images, labels))

        nothing = loop.Totals(*(tf.zeros([]) for _ in loop.Totals._fields))
        return tf.while_loop(lambda at, _: at < end, train, (begin, nothing))[1]

    def _pieces(self, epoch: Epoch) -> Iterator[loop.Totals]:
        count = len(epoch.order)
        full = count - count % self.batch_size
        for begin in range(0, full, STEPS * self.batch_size):
            end = min(begin + STEPS * self.batch_size, full)
            yield self.train_batches(epoch, tf.constant(begin), tf.constant(end), self.batch_size)
        if full < count:
            yield self.train_batches(epoch, tf.constant(full), tf.constant(count), count - full)
