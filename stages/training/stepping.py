"""Train a network by steps on batches, and test it."""

import contextlib
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from stages.layers import replicas, xla
from stages.running import errors, progress
from stages.training import counts, kernel_penalty, optimizers, selection

Batches = Iterable[tuple[tf.Tensor, tf.Tensor, tf.Tensor]]  # images, labels, positions
Step = Callable[[tf.Tensor, tf.Tensor], Any]

COUNTED = 2.0**-20  # tolerated share of an epoch's images: above 16 million float32 does not count every one


class Trainer:
    """Trains and tests a network by steps on batches.

    A step runs on every replica of the `tf.distribute` strategy in whose scope the trainer and its
    networks were made; without a scope that is one device. Each replica takes its share of a batch,
    normalizes by the statistics of that share, and applies the gradient of the whole batch's mean loss.

    Args:
        network: The network that is trained, from uint8 images to logits.
        tested: The same network with test-time augmentation, used for validation.
        variables: The variables to train.
        optimizer: The optimizer of these variables.
        label_smoothing: The label smoothing of the loss.
        penalty: The cost of large kernels.
        jit: True to compile the steps by XLA.
        class_weights: The weight of an image of each class in what is minimized, float32 [K]; None for 1.
            Histories show the loss without it.
    """

    checked_pieces = 20  # pieces of an epoch between two checks of the loss; a check waits for the device

    def __init__(
        self,
        network: keras.Model,
        tested: keras.Model,
        variables: list[keras.Variable],
        optimizer: keras.optimizers.Optimizer,
        label_smoothing: float,
        penalty: kernel_penalty.Penalty,
        jit: bool,
        class_weights: np.ndarray | None = None,
    ):
        self.network, self.tested, self.variables = network, tested, variables
        self.optimizer, self.penalty, self.class_weights = optimizer, penalty, class_weights
        self.loss = keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=label_smoothing, reduction="sum"
        )
        self.strategy = tf.distribute.get_strategy()
        self.is_averaging = optimizers.averages(optimizer)
        optimizer.build(variables)
        self._train_step = self._on_replicas(self._train, self._added_up, jit)
        self._test_step = self._on_replicas(self._test, self._added_up_and_joined, jit)

    def _on_replicas(self, step: Step, together: Callable[[Any], Any], jit: bool) -> Step:
        """Return a step that runs on every replica and puts together what the replicas return.

        With several replicas the step is not compiled: MirroredStrategy adds up gradients outside of a
        replica's function, and XLA would have to compile this function as a whole.
        """
        compiled = jit and self.strategy.num_replicas_in_sync == 1
        on_share = xla.compiled(step) if compiled else step

        def on_one(images: tf.Tensor, labels: tf.Tensor) -> Any:
            return on_share(*replicas.share(images, labels))

        def on_all(images: tf.Tensor, labels: tf.Tensor) -> Any:
            return together(self.strategy.run(on_one, args=(images, labels)))

        return tf.function(on_all, reduce_retracing=True)

    def _added_up(self, each: counts.Totals) -> counts.Totals:
        return counts.Totals(*(self.strategy.reduce("SUM", count, axis=None) for count in each))

    def _added_up_and_joined(
        self, each: tuple[counts.Totals, selection.Judged]
    ) -> tuple[counts.Totals, selection.Judged]:
        totals, judged = each
        return self._added_up(totals), selection.Judged(
            *(self.strategy.gather(part, axis=0) for part in judged)
        )

    def _train(self, images: tf.Tensor, labels: tf.Tensor) -> counts.Totals:
        with tf.GradientTape() as tape:
            logits = self.network(images, training=True)
            totals = self._totals(labels, logits)
            replica = tf.distribute.get_replica_context()
            images_of_all = replica.all_reduce("SUM", totals.images)
            share = 1 / replica.num_replicas_in_sync  # the optimizer adds the replicas' gradients
            loss = self._weighted(totals.loss, labels, logits)
            cost = loss / images_of_all + share * self.penalty(self.variables)
            scaled = self.optimizer.scale_loss(cost)
        self.optimizer.apply(tape.gradient(scaled, self.variables), self.variables)
        return totals

    def _weighted(self, loss: tf.Tensor, labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        if self.class_weights is None:
            return loss
        weights = tf.gather(self.class_weights, labels)
        return self.loss(tf.one_hot(labels, logits.shape[-1]), logits, sample_weight=weights)

    def _test(self, images: tf.Tensor, labels: tf.Tensor) -> tuple[counts.Totals, selection.Judged]:
        logits = self.tested(images, training=False)
        right = tf.cast(_are_right(labels, logits), tf.int32)  # collectives do not take bool
        losses = keras.losses.categorical_crossentropy(
            tf.one_hot(labels, logits.shape[-1]),
            logits,
            from_logits=True,
            label_smoothing=self.loss.label_smoothing,
        )
        return self._totals(labels, logits), selection.Judged(labels, right, losses)

    def _totals(self, labels: tf.Tensor, logits: tf.Tensor) -> counts.Totals:
        loss = self.loss(tf.one_hot(labels, logits.shape[-1]), logits)
        correct = _are_right(labels, logits)
        above_half = tf.reduce_max(tf.nn.softmax(logits), axis=-1) > 0.5
        return counts.Totals(
            loss,
            _count(correct),
            _count(above_half),
            _count(correct & above_half),
            tf.cast(tf.shape(labels)[0], tf.float32),
        )

    def train_epoch(self, epoch: Any, images: int, label: str) -> dict[str, float]:
        """Train on one epoch and return its `counts.Totals.means`, measured while the weights changed.

        Args:
            epoch: The epoch's batches.
            images: The number of the epoch's images.
            label: The epoch in words.

        Raises:
            errors.Diverged: the loss is no longer finite.
            errors.BadInput: the epoch has another number of images.
        """
        totals, shown = counts.NOTHING, 0
        with progress.bar(images, label, "images") as bar:
            for number, piece in enumerate(self._pieces(epoch)):
                totals = totals.add(piece)
                if number % self.checked_pieces == 0:
                    shown = _show(bar, totals, shown, label)
            _show(bar, totals, shown, label)
        if abs(float(totals.images) - images) > images * COUNTED:
            raise errors.BadInput(
                f"expected {images:,} images in {label}, received {int(totals.images):,}; rerun the records"
                " stage"
            )
        return totals.means()

    def _pieces(self, epoch: Any) -> Iterator[counts.Totals]:
        """Train on an epoch and yield the totals of each piece; in this class a piece is a batch."""
        for pixels, labels, _ in epoch:
            yield self._train_step(pixels, labels)

    def test(self, batches: Batches) -> tuple[dict[str, float], selection.Judged]:
        """Test the network with its present weights.

        Returns:
            `counts.Totals.means` under names that begin with val_, and what the network made of each image.
        """
        totals, parts = counts.NOTHING, []
        for pixels, labels, _ in batches:
            counted, judged = self._test_step(pixels, labels)
            totals = totals.add(counted)
            parts.append(judged)
        columns = zip(*parts, strict=True)
        return totals.means("val_"), selection.Judged(*(np.concatenate(column) for column in columns))

    @contextlib.contextmanager
    def averaged(self) -> Iterator[None]:
        """Let the network have the averaged weights for a while, if the optimizer averages them.

        The statistics of batch normalizations are not averaged: they are those of the weights as trained.
        """
        trained = [variable.numpy() for variable in self.variables] if self.is_averaging else []
        self.average()
        yield
        for variable, value in zip(self.variables, trained, strict=self.is_averaging):
            variable.assign(value)

    def average(self) -> None:
        """Give the network the averaged weights, if the optimizer averages them."""
        self.optimizer.finalize_variable_values(self.variables)

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step."""
        return float(self.optimizer.learning_rate)


def _are_right(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    return tf.argmax(logits, axis=-1, output_type=labels.dtype) == labels


def _count(flags: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(tf.cast(flags, tf.float32))


def require_finite(loss: float, where: str) -> None:
    """Check a loss.

    Raises:
        errors.Diverged: it is not finite.
    """
    if not math.isfinite(loss):
        raise errors.Diverged(
            f"expected a finite loss, received {loss} in {where};"
            " lower train.optimizer.learning_rate or lengthen train.schedule.warmup_epochs"
        )


def _show(bar: progress.Bar, totals: counts.Totals, shown: int, label: str) -> int:
    """Update a bar that shows `shown` images, and return the number of images that it shows now."""
    means, images = totals.means(), int(totals.images)
    require_finite(means["loss"], f"{label}, after {images} images")
    bar.set_postfix_str(f"loss {means['loss']:.4f}, accuracy {means['accuracy']:.4f}", refresh=False)
    bar.update(images - shown)
    return images
