"""Make the trainer of each epoch: first for only the head of a pretrained network, then for all of it."""

from collections.abc import Callable

import keras
import pydantic

from stages.running import errors, paramfile
from stages.training import frozen, optimizers, schedules, stepping

MakeTrainer = Callable[[list[keras.Variable], keras.optimizers.Optimizer], stepping.Trainer]


class Schedule(paramfile.Section):
    """The shape of the learning rate over the training."""

    name: schedules.Shape
    warmup_epochs: float = pydantic.Field(ge=0)
    final_fraction: float = pydantic.Field(ge=0, le=1)


class FineTuning(paramfile.Section):
    """Options of fine-tuning: a pretrained backbone is first not trained, and then trained gently."""

    head_epochs: int = pydantic.Field(ge=0)  # in which only the layers outside the backbone are trained
    learning_rate_scale: float = pydantic.Field(gt=0)  # factor of the peak in the epochs that follow


def require_epochs(schedule: Schedule, fine_tuning: FineTuning, epochs: int) -> None:
    """Check that the phases fit into the training.

    Raises:
        ValueError: the phases take more epochs than the training has.
    """
    head, warm = fine_tuning.head_epochs, schedule.warmup_epochs
    if head + warm > epochs:
        raise ValueError(
            f"expected fine_tuning.head_epochs and schedule.warmup_epochs of together at most"
            f" epochs = {epochs}, received {head} and {warm}"
        )


def build(
    make: MakeTrainer,
    network: keras.Model,
    optimizer: optimizers.Options,
    schedule: Schedule,
    fine_tuning: FineTuning,
    epochs: int,
    steps: int,
    policy: str,
    make_first: MakeTrainer | None = None,
    average: float | None = None,
) -> list[stepping.Trainer]:
    """Make the trainer of each epoch: first for the layers outside the backbone, then for the whole network.

    Args:
        make: Makes a trainer from some variables and their optimizer.
        network: The network that is trained.
        optimizer: The optimizer, with the peak of the learning rate.
        schedule: The schedule of the epochs that train the whole network; before them the rate is constant.
        fine_tuning: The number of epochs that train only the head, and the learning rate after them.
        epochs: The number of epochs of the whole training.
        steps: The number of steps per epoch.
        policy: The precision, a Keras dtype policy.
        make_first: Makes the trainer of only the head; without it `make` does.
        average: The momentum of the weights' moving average, of each phase its own; None keeps no average.

    Raises:
        errors.BadInput: epochs that train only the head are asked for, but the network has no backbone.
    """
    peak, head_epochs = optimizer.learning_rate, fine_tuning.head_epochs

    def built(rates: schedules.WarmupThenDecay) -> keras.optimizers.Optimizer:
        return optimizers.build(optimizer, rates, policy, network, average)

    whole = schedules.WarmupThenDecay(
        peak=peak * (fine_tuning.learning_rate_scale if head_epochs else 1.0),
        shape=schedule.name,
        steps=(epochs - head_epochs) * steps,
        warmup_steps=round(schedule.warmup_epochs * steps),
        final_fraction=schedule.final_fraction,
    )
    trainers = [make(network.trainable_variables, built(whole))] * (epochs - head_epochs)
    if head_epochs:
        constant = schedules.WarmupThenDecay(peak, "constant", head_epochs * steps, 0, 1.0)
        head = (make_first or make)(_outside_backbone(network), built(constant))
        trainers = [head] * head_epochs + trainers
    return trainers


def _outside_backbone(network: keras.Model) -> list[keras.Variable]:
    backbones = [layer for layer in network.layers if layer.name == frozen.BACKBONE]
    if not backbones:
        raise errors.BadInput(
            "train.fine_tuning.head_epochs expects a model with a pretrained backbone, such as transfer;"
            f" {network.name} has none: set it to 0"
        )
    inside = {variable.path for variable in backbones[0].variables}
    return [variable for variable in network.trainable_variables if variable.path not in inside]
