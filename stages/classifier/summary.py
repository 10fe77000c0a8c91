"""Describe a model's layers as a plain table, the same on every terminal."""

import math
from collections.abc import Iterator

import keras
import tabulate

Row = tuple[str, str, str]


def table(model: keras.Model) -> str:
    """List the layers with their output shapes (without the batch) and parameters, then the totals."""
    head = ["layer", "output shape", "parameters"]
    options = {"colalign": ["left", "left", "right"], "disable_numparse": True, "preserve_whitespace": True}
    lines = tabulate.tabulate(list(_rows(model, "")), head, "simple", **options)
    trainable = sum(math.prod(weight.shape) for weight in model.trainable_weights)
    return f"{lines}\n\n{model.count_params():,} parameters, {trainable:,} of them trainable\n"


def _rows(model: keras.Model, indent: str) -> Iterator[Row]:
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield f"{indent}{layer.name}", "", ""
            yield from _rows(layer, indent + "  ")
        else:
            shape = " x ".join(map(str, layer.output.shape[1:]))
            yield f"{indent}{layer.name} ({type(layer).__name__})", shape, f"{layer.count_params():,}"
