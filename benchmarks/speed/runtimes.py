"""A model in its runtimes, each in a process of its own, which take turns.

In between a process does not compute, so that all have the same cores, and a change in the machine's speed
meets all of them.
"""

import contextlib
import importlib
import itertools
import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import child

KERAS = "keras"
FORMATS = {"saved_model": "saved_model", "onnx": "onnx", "litert": "litert", "litert-int8": "litert"}
CALLS = 50  # with one image, in a round
BATCHES = 3  # in a round

Judge = Callable[[np.ndarray], np.ndarray]
_READY: list[Judge] = []  # in a runtime's process: the model


def run(
    places: Mapping[str, Path], shape: tuple[int, int, int], batch: int, rounds: int
) -> dict[str, dict[str, Any]]:
    """Time a model in its runtimes: one image, and a batch.

    Args:
        places: The `.keras` file (KERAS) and the folders of exports (of FORMATS), by name.
        shape: (H, W, C) of its images.
        batch: How many images are in a batch.
        rounds: How many are kept, after one to warm up.

    Returns:
        Of each, by round: "one_image", in milliseconds, the median of some calls, and "batch", in images/s.

    Raises:
        errors.BadInput: a runtime fails; with its reason.
    """
    with contextlib.ExitStack() as stack:
        context = multiprocessing.get_context("spawn")
        pools = {name: stack.enter_context(ProcessPoolExecutor(1, context)) for name in places}
        for name, pool in pools.items():
            child.answer(name, pool.submit(_prepare, name, places[name]))
        rows: dict[str, dict[str, Any]] = {name: {"one_image": [], "batch": []} for name in places}
        for number, (name, pool) in itertools.product(range(1 + rounds), pools.items()):
            one, many = child.answer(name, pool.submit(_round, shape, batch))
            print(f"round {number}, {name}: {one:.2f} ms, {many:.0f} images/s", file=sys.stderr, flush=True)
            if number:
                rows[name]["one_image"].append(one)
                rows[name]["batch"].append(many)
    return rows


def _prepare(name: str, place: Path) -> None:
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    if name == KERAS:
        keras = importlib.import_module("keras")
        model = keras.models.load_model(place, compile=False)
        _READY.append(lambda images: model.predict(images, batch_size=len(images), verbose=0))
    else:
        chosen = importlib.import_module(f"stages.serving.{FORMATS[name]}")
        _READY.append(chosen.load(place).probabilities)


def _round(shape: tuple[int, int, int], batch: int) -> tuple[float, float]:
    images = np.random.default_rng(0).integers(0, 256, (batch, *shape)).astype(np.float32)
    one = statistics.median(_seconds(images[:1]) for _ in range(CALLS))
    many = statistics.median(_seconds(images) for _ in range(BATCHES))
    return 1000 * one, batch / many


def _seconds(images: np.ndarray) -> float:
    began = time.perf_counter()
    _READY[0](images)
    return time.perf_counter() - began
