"""Measure which way to compute the parts of a training step is faster on this processor.

    python -m benchmarks kernels                        # in the precision that is quick here
    python -m benchmarks kernels --precision bfloat16

The layers' and Muon's docstrings say which way they take and why; this measures it. The ways take turns,
and the median of their times counts.
"""

import functools
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from benchmarks import machine, options, table
from stages.layers import activation, convolution, processor, xla_batch_norm
from stages.running import outputs
from stages.training import hardware, muon

ROUNDS = 11
# Batch, height, width, channels, filters: of the three-block network, airbench's small and its full widths.
CONVOLUTIONS = [
    (128, 32, 32, 32, 32),
    (128, 6, 6, 128, 128),
    (500, 31, 31, 24, 32),
    (500, 15, 15, 32, 128),
    (500, 7, 7, 128, 128),
    (500, 3, 3, 128, 128),
    (500, 15, 15, 64, 256),
    (500, 7, 7, 256, 256),
    (500, 3, 3, 256, 256),
]
ACTIVATED = (500, 15, 15, 64)
NORMALIZED = [(128, 32, 32, 32), (500, 7, 7, 128)]
MATRICES = [(288, 128), (1152, 128), (2304, 256)]

Ways = dict[str, Callable[[], tf.Tensor]]


def main(words: Sequence[str]) -> None:
    """Run the benchmark."""
    parser = options.parser("kernels", __doc__)
    parser.add_argument("--precision", choices=["float32", "bfloat16"])
    parser.add_argument("--output", type=Path, default=Path("reports/benchmarks/kernels.json"))
    chosen = parser.parse_args(words)
    fast = hardware.select("cpu", "auto").precision.removeprefix("mixed_")
    precision = chosen.precision or fast
    tf.config.experimental.enable_op_determinism()
    measured = {part: milliseconds(ways) for part, ways in _parts(tf.as_dtype(precision))}
    described = machine.describe()
    report = {"machine": described, "milliseconds": measured, "precision": precision}
    outputs.write_json(chosen.output, report)
    print(f"{machine.line(described)}, in {precision}\n\n{render(measured)}")


def milliseconds(ways: Ways) -> dict[str, float]:
    """The median time of each way, in turns."""
    for way in ways.values():
        way()  # traces and compiles
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            taken[name].append(1000 * (time.perf_counter() - began))
    return {name: round(statistics.median(times), 2) for name, times in taken.items()}


def render(measured: dict[str, dict[str, float]]) -> str:
    """A row for each part: its ways from the quickest to the slowest."""
    rows = [
        [part, ", ".join(f"{way} {ms:.1f}" for way, ms in sorted(ways.items(), key=lambda way: way[1]))]
        for part, ways in measured.items()
    ]
    return table.render(["part", "ms"], rows)


def _parts(dtype: tf.DType) -> Iterator[tuple[str, Ways]]:
    for batch, height, width, channels, filters in CONVOLUTIONS:
        shape = f"{batch}x{height}x{width}x{channels} to {filters}"
        yield f"weight gradient, {shape}", _weight_gradient(batch, height, width, channels, filters, dtype)
    for name in ("silu", "gelu"):
        yield f"{name} and its gradient, {ACTIVATED}", _activation(name, dtype)
    for normalized in NORMALIZED if dtype == tf.float32 else []:
        yield f"batch normalization, {normalized}", _batch_norm(normalized)
    for rows, columns in MATRICES:
        matrix = _normal((rows, columns), tf.float32)
        yield (
            f"Muon, {rows}x{columns}",
            {
                products: tf.function(
                    lambda products=products, matrix=matrix: muon.orthogonal(matrix, products)
                )
                for products in ("float32", "bfloat16")
                if products == "float32" or not processor.is_held_back()
            },
        )


def _weight_gradient(
    batch: int, height: int, width: int, channels: int, filters: int, dtype: tf.DType
) -> Ways:
    inputs, upstream = (_normal((batch, height, width, count), dtype) for count in (channels, filters))
    kernel = _normal((3, 3, channels, filters), dtype)

    def stock() -> tf.Tensor:
        return tf.raw_ops.Conv2DBackpropFilter(
            input=inputs, filter_sizes=kernel.shape, out_backprop=upstream, strides=[1] * 4, padding="SAME"
        )

    own = {
        "matrix products": convolution.by_matrix_products,
        "pieces": convolution.in_pieces,
    }
    ways = {"oneDNN": stock, "(convolution)": lambda: tf.nn.conv2d(inputs, kernel, 1, "SAME")}
    ways |= {
        name: functools.partial(way, inputs, upstream, "SAME")
        for name, way in own.items()
        if name != "pieces" or batch >= 2 * convolution.CHUNK
    }
    return {name: tf.function(way) for name, way in ways.items()}


def _activation(name: str, dtype: tf.DType) -> Ways:
    inputs, upstream = (_normal(ACTIVATED, dtype) for _ in range(2))

    def gradient(layer: keras.layers.Layer) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs)
        return tape.gradient(outputs, inputs, output_gradients=upstream)

    kinds = {"XLA": activation.Activation, "TensorFlow": keras.layers.Activation}
    layers = {way: kind(name, dtype=dtype.name) for way, kind in kinds.items()}
    return {way: tf.function(functools.partial(gradient, layer)) for way, layer in layers.items()}


def _batch_norm(shape: Sequence[int]) -> Ways:
    inputs, ones = _normal(shape, tf.float32), tf.ones(shape[-1])

    def through_onednn() -> tf.Tensor:
        return tf.compat.v1.nn.fused_batch_norm(inputs, ones, ones, is_training=True)[0]

    def through_xla() -> tf.Tensor:
        return xla_batch_norm.normalize(inputs, ones, ones, 1e-3)[0]

    return {"oneDNN": tf.function(through_onednn), "XLA": tf.function(through_xla)}


def _normal(shape: Sequence[int], dtype: tf.DType) -> tf.Tensor:
    return tf.cast(np.random.default_rng(0).normal(size=shape), dtype)
