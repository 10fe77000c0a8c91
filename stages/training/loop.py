"""Train a network epoch by epoch and test it on a validation split.

Keras's `fit` is not used. It cannot run whole epochs in a device's memory, train with another optimizer from
one epoch to the next, or run under `MultiWorkerMirroredStrategy` (keras-team/keras#20585).
"""

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np

from stages.running import errors
from stages.training import selection, stepping


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
    trainers: Sequence[stepping.Trainer],
    train: Callable[[int], Any],
    images: int,
    val: Callable[[int], stepping.Batches] | None,
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
        train: Returns an epoch, counted from 0, in the form that the trainers take; for `stepping.Trainer`
            this is its batches.
        images: The number of images of an epoch.
        val: Returns the validation batches after an epoch, always in the same order; without it the last
            weights are kept.
        choice: The measure that chooses, and the patience. A phase is the epochs of one trainer.
        state: Where to begin; the trainers hold the weights of that moment.
        keep: Is given the state after each epoch.

    Returns:
        The epoch that is kept, and per epoch: epoch (from 1), learning_rate (at its start), seconds (with its
        validation), the `counts.Totals.means` of training and, with "val_" before each name, of validation,
        and val_balanced_accuracy if that chooses.

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
                stepping.require_finite(row["val_loss"], f"{label}, validation")
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


def _keep(state: State, trainers: Sequence[stepping.Trainer], words: str) -> int:
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
