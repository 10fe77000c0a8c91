"""Describe the layers of a model in a plain table that is the same on every terminal."""

import math
from collections.abc import Iterator

import keras

Row = tuple[str, str, str]


def table(model: keras.Model) -> str:
    """Return a table of layer, output shape (without the batch) and parameters, with the totals below."""
    trainable = sum(math.prod(weight.shape) for weight in model.trainable_weights)
    rows = [("layer", "output shape", "parameters"), *_rows(model, "")]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [
        f"{layer:<{widths[0]}}  {shape:<{widths[1]}}  {parameters:>{widths[2]}}"
        for layer, shape, parameters in rows
    ]
    lines.insert(1, "-" * (sum(widths) + 4))
    total = model.count_params()
    lines += [lines[1], f"{total:,} parameters, {trainable:,} of them trainable"]
    return "\n".join(lines) + "\n"


def _rows(model: keras.Model, indent: str) -> Iterator[Row]:
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield f"{indent}{layer.name}", "", ""
            yield from _rows(layer, indent + "  ")
        else:
            shape = " x ".join(map(str, layer.output.shape[1:]))
            yield f"{indent}{layer.name} ({type(layer).__name__})", shape, f"{layer.count_params():,}"
