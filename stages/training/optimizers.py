"""Optimizers by name, with separate learning rates for biases and for the last layer (the head).

Fast biases come from Page, "How to train your ResNet" (2018), by way of airbench (arXiv:2404.00498). With
Muon, airbench trains the head with its own rate, too. In four epochs on CIFAR-10 biases at 600 times the
kernels' rate are worth 0.2 ± 0.6 points of accuracy, and the head at 9 times the kernels' rate 0.8 ± 0.4
(reports/benchmarks/ablation.md).
"""

from typing import Any, Literal

import keras
import pydantic

from stages.layers import find
from stages.running import paramfile
from stages.training import muon

KINDS: dict[str, type[keras.optimizers.Optimizer]] = {
    "sgd": keras.optimizers.SGD,
    "adam": keras.optimizers.Adam,
    "muon": muon.Muon,
}


class Options(paramfile.Section):
    """Options of the optimizer; `learning_rate` is the peak of the schedule."""

    name: Literal["sgd", "adam", "muon"]
    learning_rate: float = pydantic.Field(gt=0)
    momentum: float = pydantic.Field(ge=0, lt=1)  # Nesterov's, for sgd and muon; adam has beta_1 instead
    weight_decay: float = pydantic.Field(ge=0)  # decoupled (arXiv:1711.05101), of kernels only
    bias_scale: float = pydantic.Field(ge=0)  # learning rate of biases and norms, relative to the schedule's
    head_scale: float = pydantic.Field(ge=0)  # learning rate of the last layer, relative to the schedule's


def build(
    options: Options,
    schedule: keras.optimizers.schedules.LearningRateSchedule,
    policy: str,
    network: keras.Model,
    average: float | None = None,
) -> keras.optimizers.Optimizer:
    """Build an optimizer that follows a schedule; under mixed_float16 it scales the loss, too.

    Args:
        options: The optimizer.
        schedule: The learning rate by step.
        policy: The precision, a Keras dtype policy.
        network: The network that is trained.
        average: The share of the moving average of the weights that a step leaves as it was; None keeps no
            average. The average begins with the weights after the first step.
    """
    settings: dict[str, Any] = {"weight_decay": options.weight_decay or None}
    if average is not None:
        settings |= {"use_ema": True, "ema_momentum": average}
    if options.name != "adam":
        settings |= {"momentum": options.momentum, "nesterov": options.momentum > 0}
    if options.name == "muon":
        settings["products"] = "bfloat16" if policy == "mixed_bfloat16" else "float32"
    kind = _with_scales(KINDS[options.name], _scales(options, network))
    optimizer = kind(schedule, **settings)
    if options.weight_decay:
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return keras.optimizers.LossScaleOptimizer(optimizer) if policy == "mixed_float16" else optimizer


def averages(optimizer: keras.optimizers.Optimizer) -> bool:
    """Return whether an optimizer averages the weights, or the one inside of one that scales the loss."""
    return getattr(optimizer, "inner_optimizer", optimizer).use_ema


def _with_scales(
    kind: type[keras.optimizers.Optimizer], scales: dict[str, float]
) -> type[keras.optimizers.Optimizer]:
    """Return a subclass of an optimizer that scales the learning rate of the variables at some paths."""

    class Scaled(kind):
        def build(self, variables: list[keras.Variable]) -> None:
            super().build(variables)
            self.rates = [scales.get(variable.path, 1.0) for variable in variables]

        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            rate = learning_rate * self.rates[self._get_variable_index(variable)]
            super().update_step(gradient, variable, rate)

    return Scaled


def _scales(options: Options, network: keras.Model) -> dict[str, float]:
    """Return learning rates by variable path, relative to the schedule's; other variables have 1."""
    vectors = [variable for variable in network.trainable_variables if len(variable.shape) == 1]
    scales = {variable.path: options.bias_scale for variable in vectors}
    head = find.of_kind(network, find.DENSE)[-1]
    return scales | {head.kernel.path: options.head_scale}
