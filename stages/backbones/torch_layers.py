"""Give Keras's layers the tensors that PyTorch's layers of the same kinds had."""

from collections.abc import Callable, Mapping

import keras
import numpy as np

from stages.running import errors

# For each kind of layer its weights in the order of Keras, each with its name in PyTorch and Keras's axes as
# numbers of PyTorch's axes; None leaves them as they are.
_WEIGHTS: dict[type[keras.layers.Layer], dict[str, tuple[int, ...] | None]] = {
    keras.layers.BatchNormalization: dict.fromkeys(["weight", "bias", "running_mean", "running_var"]),
    keras.layers.Conv2D: {"weight": (2, 3, 1, 0), "bias": None},
    keras.layers.Dense: {"weight": (1, 0), "bias": None},
    keras.layers.DepthwiseConv2D: {"weight": (2, 3, 0, 1), "bias": None},
}


def assign(model: keras.Model, tensors: Mapping[str, np.ndarray], name_of: Callable[[str], str]) -> None:
    """Set all weights of a model.

    Args:
        model: Of its layers, those with weights are of the kinds in _WEIGHTS.
        tensors: PyTorch's tensors by name, such as conv1.weight; others than the model's are ignored.
        name_of: Gives PyTorch's name of a layer, such as conv1, for Keras's.

    Raises:
        errors.BadInput: a tensor is missing or has another shape; the model is then as it was.
    """
    found = [(layer, _values(layer, tensors, name_of(layer.name))) for layer in model.layers if layer.weights]
    for layer, values in found:
        layer.set_weights(values)


def _values(layer: keras.layers.Layer, tensors: Mapping[str, np.ndarray], name: str) -> list[np.ndarray]:
    """Return PyTorch's tensors of a layer in the shapes and the order of Keras's weights."""
    ways = list(_WEIGHTS[type(layer)].items())[: len(layer.weights)]  # a bias comes last and may be absent
    values = []
    for weight, (part, axes) in zip(layer.weights, ways, strict=True):
        tensor = tensors.get(f"{name}.{part}", np.zeros(()))
        fits = axes is None or tensor.ndim == len(axes)
        value = tensor.transpose(axes) if fits else tensor
        if value.shape != weight.shape:
            shape = tuple(weight.shape[axes.index(i)] for i in range(len(axes))) if axes else weight.shape
            received = tensor.shape if f"{name}.{part}" in tensors else "none"
            raise errors.BadInput(f"expected a tensor {name}.{part} of shape {shape}, received {received}")
        values.append(value)
    return values
