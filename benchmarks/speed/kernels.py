"""Measure which way to compute the parts of a training step is faster on this processor.

    python -m benchmarks kernels                        # in the precision that is quick here
    python -m benchmarks kernels --precision bfloat16

The layers' and Muon's docstrings say which way they take and why; this measures it. The ways take turns,
and the median of their times counts.
"""

import functools
import itertools
import statistics
import timeit
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from ruamel.yaml import YAML

from benchmarks import machine, options, table
from stages.layers import activation, convolution, processor, xla_batch_norm
from stages.training import hardware, muon

ROUNDS = 11
SHAPES = YAML(typ="safe").load(Path(__file__).with_suffix(".yaml"))

Ways = dict[str, Callable[[], tf.Tensor]]


def main(words: Sequence[str]) -> None:
    """Run the benchmark."""
    parser = options.parser("kernels", __doc__)
    fast = hardware.select("cpu", "auto").precision.removeprefix("mixed_")
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default=fast)
    parser.add_argument("--output", type=Path, default=Path("reports/benchmarks/kernels.json"))
    chosen = parser.parse_args(words)
    tf.config.experimental.enable_op_determinism()
    measured = {part: milliseconds(ways) for part, ways in _parts(tf.as_dtype(chosen.precision))}
    shown = f"in {chosen.precision}\n\n{render(measured)}"
    machine.publish(chosen.output, shown, {"milliseconds": measured, "precision": chosen.precision})


def milliseconds(ways: Ways) -> dict[str, float]:
    """The median time of each way, in turns."""
    ways = {name: tf.function(way) for name, way in ways.items()}
    for way in ways.values():
        way()  # traces and compiles
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            taken[name].append(1000 * timeit.timeit(way, number=1))
    return {name: round(statistics.median(times), 2) for name, times in taken.items()}


def render(measured: dict[str, dict[str, float]]) -> str:
    """A row for each part: its ways from the quickest to the slowest."""
    rows = [
        [part, ", ".join(f"{way} {ms:.1f}" for way, ms in sorted(ways.items(), key=lambda way: way[1]))]
        for part, ways in measured.items()
    ]
    return table.render(["part", "ms"], rows)


def _parts(dtype: tf.DType) -> Iterator[tuple[str, Ways]]:
    """What is measured, in the precision that it is computed in, by its name."""
    for *shape, filters in SHAPES["convolutions"]:
        name = f"weight gradient, {'x'.join(map(str, shape))} to {filters}"
        yield name, _weight_gradient(_normal(shape, dtype), _normal([*shape[:3], filters], dtype))
    for shape, name in itertools.product(SHAPES["activated"], ("silu", "gelu")):
        yield f"{name} and its gradient, {tuple(shape)}", _activation(name, shape, dtype)
    for shape in SHAPES["normalized"] if dtype == tf.float32 else []:
        yield f"batch normalization, {tuple(shape)}", _batch_norm(_normal(shape, dtype))
    for shape in SHAPES["matrices"]:
        yield f"Muon, {'x'.join(map(str, shape))}", _orthogonal(_normal(shape, tf.float32))


def _weight_gradient(inputs: tf.Tensor, upstream: tf.Tensor) -> Ways:
    kernel = _normal((3, 3, inputs.shape[-1], upstream.shape[-1]), inputs.dtype)
    same = {"strides": [1] * 4, "padding": "SAME"}
    ways = {
        "oneDNN": lambda: tf.raw_ops.Conv2DBackpropFilter(
            input=inputs, filter_sizes=kernel.shape, out_backprop=upstream, **same
        ),
        "(convolution)": lambda: tf.nn.conv2d(inputs, kernel, **same),
        "matrix products": lambda: convolution.by_matrix_products(inputs, upstream, "SAME"),
        "pieces": lambda: convolution.in_pieces(inputs, upstream, "SAME"),
    }
    if len(inputs) < 2 * convolution.CHUNK:
        del ways["pieces"]
    return ways


def _activation(name: str, shape: Sequence[int], dtype: tf.DType) -> Ways:
    inputs, upstream = (_normal(shape, dtype) for _ in range(2))

    def gradient(layer: keras.layers.Layer) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs)
        return tape.gradient(outputs, inputs, output_gradients=upstream)

    kinds = {"XLA": activation.Activation, "TensorFlow": keras.layers.Activation}
    return {way: functools.partial(gradient, kind(name, dtype=dtype.name)) for way, kind in kinds.items()}


def _batch_norm(inputs: tf.Tensor) -> Ways:
    ones = tf.ones(inputs.shape[-1])
    return {
        "oneDNN": lambda: tf.compat.v1.nn.fused_batch_norm(inputs, ones, ones, is_training=True)[0],
        "XLA": lambda: xla_batch_norm.normalize(inputs, ones, ones, 1e-3)[0],
    }


def _orthogonal(matrix: tf.Tensor) -> Ways:
    precisions = ["float32"] if processor.is_held_back() else ["float32", "bfloat16"]
    return {products: functools.partial(muon.orthogonal, matrix, products) for products in precisions}


def _normal(shape: Sequence[int], dtype: tf.DType) -> tf.Tensor:
    return tf.cast(np.random.default_rng(0).normal(size=shape), dtype)
