"""Train a network epoch by epoch and test it on a validation split.

Keras's `fit` is not used. It cannot run whole epochs in a device's memory, train with another optimizer from
one epoch to the next, or run under `MultiWorkerMirroredStrategy` (keras-team/keras#20585).
"""

import contextlib
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from stages.layers import replicas, xla
from stages.running import errors, progress
from stages.training import optimizers, selection

Batches = Iterable[tuple[tf.Tensor, tf.Tensor, tf.Tensor]]  # images, labels, positions
Step = Callable[[tf.Tensor, tf.Tensor], Any]


class Penalty(NamedTuple):
    """The cost of large kernels in training; histories show the loss without it.

    The cost is `l1` times the sum of the kernels' absolute values, plus `l2` times the sum of their squares.
    """

    l1: float
    l2: float

    def __call__(self, variables: list[keras.Variable]) -> tf.Tensor | float:
        """Return the cost of the variables that have more than one dimension."""
        kernels = [tf.convert_to_tensor(variable) for variable in variables if len(variable.shape) > 1]
        cost = 0.0
        if self.l1:
            cost += self.l1 * tf.add_n([tf.reduce_sum(tf.abs(kernel)) for kernel in kernels])
        if self.l2:
            cost += self.l2 * tf.add_n([tf.reduce_sum(tf.square(kernel)) for kernel in kernels])
        return cost


class Totals(NamedTuple):
    """Sums over images; a prediction is above half if its probability is greater than 0.5."""

    loss: Any
    correct: Any
    above_half: Any
    above_half_correct: Any
    images: Any

    def add(self, other: "Totals") -> "Totals":
        """Add two totals."""
        return Totals(*(ours + theirs for ours, theirs in zip(self, other, strict=True)))

    def means(self, prefix: str = "") -> dict[str, float]:
        """Return mean loss, accuracy, and precision and recall, under names that begin with `prefix`.

        Precision and recall are those of Keras's metrics of these names, which count only predictions above
        half.
        """
        images, above_half_correct = float(self.images), float(self.above_half_correct)
        return {
            f"{prefix}loss": float(self.loss) / images,
            f"{prefix}accuracy": float(self.correct) / images,
            f"{prefix}above_half_precision": above_half_correct / max(float(self.above_half), 1.0),
            f"{prefix}above_half_recall": above_half_correct / images,
        }


COUNTED = 2.0**-20  # tolerated share of an epoch's images: above 16 million float32 does not count every one
NOTHING = Totals(0.0, 0.0, 0.0, 0.0, 0.0)


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
        penalty: Penalty,
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

    def _added_up(self, each: Totals) -> Totals:
        return Totals(*(self.strategy.reduce("SUM", count, axis=None) for count in each))

    def _added_up_and_joined(self, each: tuple[Totals, selection.Judged]) -> tuple[Totals, selection.Judged]:
        totals, judged = each
        return self._added_up(totals), selection.Judged(
            *(self.strategy.gather(part, axis=0) for part in judged)
        )

    def _train(self, images: tf.Tensor, labels: tf.Tensor) -> Totals:
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

    def _test(self, images: tf.Tensor, labels: tf.Tensor) -> tuple[Totals, selection.Judged]:
        logits = self.tested(images, training=False)
        right = tf.cast(_are_right(labels, logits), tf.int32)  # collectives do not take bool
        losses = keras.losses.categorical_crossentropy(
            tf.one_hot(labels, logits.shape[-1]),
            logits,
            from_logits=True,
            label_smoothing=self.loss.label_smoothing,
        )
        return self._totals(labels, logits), selection.Judged(labels, right, losses)

    def _totals(self, labels: tf.Tensor, logits: tf.Tensor) -> Totals:
        loss = self.loss(tf.one_hot(labels, logits.shape[-1]), logits)
        correct = _are_right(labels, logits)
        above_half = tf.reduce_max(tf.nn.softmax(logits), axis=-1) > 0.5
        return Totals(
            loss,
            _count(correct),
            _count(above_half),
            _count(correct & above_half),
            tf.cast(tf.shape(labels)[0], tf.float32),
        )

    def train_epoch(self, epoch: Any, images: int, label: str) -> dict[str, float]:
        """Train on one epoch and return its `Totals.means`, measured while the weights changed.

        Args:
            epoch: The epoch's batches.
            images: The number of the epoch's images.
            label: The epoch in words.

        Raises:
            errors.Diverged: the loss is no longer finite.
            errors.BadInput: the epoch has another number of images.
        """
        totals, shown = NOTHING, 0
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

    def _pieces(self, epoch: Any) -> Iterator[Totals]:
        """Train on an epoch and yield the totals of each piece; in this class a piece is a batch."""
        for pixels, labels, _ in epoch:
            yield self._train_step(pixels, labels)

    def test(self, batches: Batches) -> tuple[dict[str, float], selection.Judged]:
        """Test the network with its present weights.

        Returns:
            `Totals.means` under names that begin with val_, and what the network made of each image.
        """
        totals, parts = NOTHING, []
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


def _require_finite(loss: float, where: str) -> None:
    if not math.isfinite(loss):
        raise errors.Diverged(
            f"expected a finite loss, received {loss} in {where};"
            " lower train.optimizer.learning_rate or lengthen train.schedule.warmup_epochs"
        )


def _show(bar: progress.Bar, totals: Totals, shown: int, label: str) -> int:
    """Update a bar that shows `shown` images, and return the number of images that it shows now."""
    means, images = totals.means(), int(totals.images)
    _require_finite(means["loss"], f"{label}, after {images} images")
    bar.set_postfix_str(f"loss {means['loss']:.4f}, accuracy {means['accuracy']:.4f}", refresh=False)
    bar.update(images - shown)
    return images


class State(NamedTuple):
    """How far a training is; all that `fit` has to know to go on, beside what the trainers hold."""

    epoch: int = 0  # the next one, counted from 0
    history: Sequence[dict[str, float]] = ()  # a row per epoch
    waited: int = 0  # epochs of this phase since a better one
    ended: int = -1  # the last epoch of a phase that has ended early
    best_epoch: int = 0  # the best one so far, counted from 0
    best_found: Sequence[float] = ()  # its measure, or minus the loss, and minus the loss to decide equals
    best_weights: list[np.ndarray] | None = None
    best_judged: selection.Judged | None = None
    best_is_kept: bool = False  # it is better than the last epoch by more than chance explains


START = State()


class Choice(NamedTuple):
    """When a phase ends and by what the weights are chosen that are kept."""

    measure: selection.Measure = "accuracy"
    patience: int | None = None  # epochs of a phase in a row without a better one; None ends no phase early


class Fitted(NamedTuple):
    """What `fit` leaves beside the weights."""

    history: list[dict[str, float]]  # a row per epoch
    kept_epoch: int  # the one whose weights the network has, counted from 1


def fit(
    trainers: Sequence[Trainer],
    train: Callable[[int], Any],
    images: int,
    val: Callable[[int], Batches] | None,
    choice: Choice,
    state: State = START,
    keep: Callable[[State], None] = lambda state: None,
) -> Fitted:
    """Train a network with one trainer per epoch and leave it with the weights that are kept.

    Those are the last ones, unless those of the best epoch are better by more than chance explains; see
    `selection.is_better`. The best epoch is the one with the best measure; of equal ones, that with the
    lowest validation loss. Weights that the optimizer averages are validated and kept as averages.

    Args:
        trainers: The trainer of each epoch. All are of the same network, but the first ones may be of a part
            of it, if they train nothing else.
        train: Returns an epoch, counted from 0, in the form that the trainers take; for `Trainer` this is
            its batches.
        images: The number of images of an epoch.
        val: Returns the validation batches after an epoch, always in the same order; without it the last
            weights are kept.
        choice: The measure that chooses, and the patience. A phase is the epochs of one trainer.
        state: Where to begin; the trainers hold the weights of that moment.
        keep: Is given the state after each epoch.

    Returns:
        The epoch that is kept, and per epoch: epoch (from 1), learning_rate (at its start), seconds (with its
        validation), the `Totals.means` of training and, with "val_" before each name, of validation, and
        val_balanced_accuracy if that chooses.

    Raises:
        errors.Diverged: the loss or a weight is no longer finite.
    """
    epochs, network = len(trainers), trainers[-1].network
    words = selection.in_words(choice.measure)
    began = time.perf_counter()
    for epoch in range(state.epoch, epochs):
        trainer = trainers[epoch]
        if state.ended >= 0 and trainer is trainers[state.ended]:
            continue
        label = f"epoch {epoch + 1}/{epochs}"
        epoch_began = time.perf_counter()
        row = {"epoch": epoch + 1, "learning_rate": trainer.learning_rate}
        row |= trainer.train_epoch(train(epoch), images, label)
        waited = 0 if epoch > 0 and trainer is not trainers[epoch - 1] else state.waited
        with trainer.averaged():
            judged = None
            if val is not None:
                means, judged = trainer.test(val(epoch))
                row |= means | _balanced(choice.measure, judged)
                _require_finite(row["val_loss"], f"{label}, validation")
            row["seconds"] = time.perf_counter() - epoch_began
            if val is not None:
                found = f"{row[f'val_{choice.measure}']:.4f}"
                print(f"{label}: validation {words} {found}, {row['seconds']:.1f} s", flush=True)
            state = _after(state, epoch, row, judged, choice.measure, waited, network)
        if choice.patience is not None and state.waited >= choice.patience:
            print(f"stopping: no better validation {words} for {choice.patience} epochs")
            state = state._replace(ended=epoch)
        keep(state)
    kept = _keep(state, trainers, words)
    # The loss is computed before a step: without validation nothing has checked the result of the last one.
    if not all(np.isfinite(weights).all() for weights in network.get_weights()):
        raise errors.Diverged("expected finite weights, received others; lower train.optimizer.learning_rate")
    print(f"trained {len(state.history)} epochs in {time.perf_counter() - began:.2f} s", flush=True)
    return Fitted(list(state.history), kept)


def _balanced(measure: selection.Measure, judged: selection.Judged) -> dict[str, float]:
    if measure != "balanced_accuracy":
        return {}
    return {"val_balanced_accuracy": float(selection.scores(measure, judged).mean())}


def _after(
    state: State,
    epoch: int,
    row: dict[str, float],
    judged: selection.Judged | None,
    measure: selection.Measure,
    waited: int,
    network: keras.Model,
) -> State:
    """Return the state after an epoch, of which `waited` epochs before it were no better."""
    state = state._replace(epoch=epoch + 1, history=[*state.history, row])
    if judged is None:
        return state
    value = row[f"val_{measure}"]
    found = -value if measure == "loss" else value, -row["val_loss"]
    if state.best_judged is not None and found <= tuple(state.best_found):
        is_kept = selection.is_better(measure, state.best_judged, judged)
        return state._replace(waited=waited + 1, best_is_kept=is_kept)
    return state._replace(
        waited=0,
        best_epoch=epoch,
        best_found=found,
        best_weights=network.get_weights(),
        best_judged=judged,
        best_is_kept=False,
    )


def _keep(state: State, trainers: Sequence[Trainer], words: str) -> int:
    """Give the network the weights that are kept and return their epoch, counted from 1."""
    last, best = int(state.history[-1]["epoch"]), state.best_epoch + 1
    if state.best_is_kept and state.best_weights is not None:
        trainers[-1].network.set_weights(state.best_weights)
        print(f"keeping the weights of epoch {best}, the best validation {words}")
        return best
    trainers[last - 1].average()
    if state.best_weights is not None and best < last:
        print(f"keeping the last weights: epoch {best} has a better validation {words} by chance")
    return last
