"""Optimizers by name, from Keras."""

from typing import Literal

import keras
import pydantic

from stages.running import paramfile


class Options(paramfile.Section):
    """Which optimizer, how strong. `learning_rate` is the schedule's peak."""

    name: Literal["sgd", "adam", "adamw"]
    learning_rate: float = pydantic.Field(gt=0)
    momentum: float = pydantic.Field(ge=0, lt=1)  # of sgd, which uses Nesterov's; adam has beta_1
    weight_decay: float = pydantic.Field(ge=0)  # decoupled (arXiv:1711.05101), of kernels alone


def build(
    options: Options, schedule: keras.optimizers.schedules.LearningRateSchedule, policy: str
) -> keras.optimizers.Optimizer:
    """An optimizer that follows a schedule; under mixed_float16 it scales the loss by itself."""
    decay = options.weight_decay or None
    if options.name == "sgd":
        momentum = options.momentum
        optimizer = keras.optimizers.SGD(
            schedule, momentum=momentum, nesterov=momentum > 0, weight_decay=decay
        )
    else:
        kind = {"adam": keras.optimizers.Adam, "adamw": keras.optimizers.AdamW}[options.name]
        optimizer = kind(schedule, weight_decay=decay or 0.0) if decay else keras.optimizers.Adam(schedule)
    if decay:
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return keras.optimizers.LossScaleOptimizer(optimizer) if policy == "mixed_float16" else optimizer
