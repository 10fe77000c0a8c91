"""Train the same network in several ways, each in a process of its own, which take turns.

In between a process does not compute, so that all have the same cores, and a change in the machine's
speed meets all of them.
"""

import argparse
import contextlib
import importlib
import importlib.util
import itertools
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks import child
from stages.layers import processor
from stages.running import errors

CONFIG = Path("configs/cifar10-three-classes.yaml")
BATCH_SIZE = 128
PEERS = {  # a file of peers/ and the function in it that prepares
    "ours": ("ours", "prepare"),
    "keras_shipped": ("keras", "tutorial"),
    "keras_tutorial": ("keras", "tutorial"),
    "keras_tuned": ("keras", "tuned"),
    "pytorch": ("pytorch", "prepare"),
    "pytorch_compiled": ("pytorch", "compiled"),
}
TRANSFER = {  # those of the benchmark transfer
    "ours": ("ours", "prepare"),
    "transfer_keras": ("transfer_keras", "prepare"),
    "transfer_keras_frozen": ("transfer_keras", "frozen"),
    "head_once": ("head", "once"),
    "head_always": ("head", "always"),
}


class Peer(NamedTuple):
    """A network, ready to be trained."""

    epoch: Callable[[], float]  # trains one epoch on subset/train and returns its mean loss
    classify: Callable[[np.ndarray], np.ndarray]  # uint8 images [N, H, W, C] to their classes, int [N]


_READY: list[Peer] = []  # in a peer's process: the peer


def parse(parser: argparse.ArgumentParser, words: Sequence[str]) -> argparse.Namespace:
    """Parse a command line that can name the peers, too.

    Raises:
        errors.BadInput: a peer needs PyTorch, which is not installed.
    """
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS))
    chosen = parser.parse_args(words)
    if any(peer.startswith("pytorch") for peer in chosen.peers) and not importlib.util.find_spec("torch"):
        remedy = "pip install -r requirements-bench.txt, or name the others with --peers"
        raise errors.BadInput(f"the PyTorch peers need torch, which is not installed: {remedy}")
    return chosen


def run(peers: Sequence[str], subset: Path, epochs: int, params: Path = CONFIG) -> dict[str, dict[str, Any]]:
    """Train peers on a subset's training images: losses and seconds by epoch, and test accuracy, of each.

    Args:
        peers: Of PEERS or of TRANSFER.
        subset: The subset stage's folder, of three classes.
        epochs: How many.
        params: A params file; its sections records and train are read, only for this project.

    Raises:
        errors.BadInput: a peer fails; with its reason.
    """
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name, contextlib.ExitStack() as stack:
        folder, context = Path(name), multiprocessing.get_context("spawn")
        (folder / "subset").symlink_to(subset.resolve())
        shutil.copyfile(params, folder / "params.yaml")
        pools = {peer: stack.enter_context(ProcessPoolExecutor(1, context)) for peer in peers}
        for peer, prepared in [(peer, pool.submit(_prepare, peer, folder)) for peer, pool in pools.items()]:
            child.answer(f"peer {peer}", prepared)
        rows: dict[str, dict[str, Any]] = {peer: {"losses": [], "seconds": []} for peer in peers}
        for number, (peer, pool) in itertools.product(range(epochs), pools.items()):
            loss, seconds = child.answer(f"peer {peer}", pool.submit(_epoch))
            rows[peer]["losses"].append(loss)
            rows[peer]["seconds"].append(seconds)
            print(f"round {number}, {peer}: {loss:.4f}, {seconds:.2f} s", file=sys.stderr, flush=True)
        for peer, pool in pools.items():
            rows[peer]["accuracy"] = child.answer(f"peer {peer}", pool.submit(_test, folder))
    return rows


def accuracy(trained: Peer, folder: Path) -> float:
    """Compute the share of the images of `folder`/subset/test that a peer classifies right."""
    images, labels = (np.load(folder / "subset/test" / f"{name}.npy") for name in ("images", "labels"))
    return float(np.mean(trained.classify(images) == labels))


def _prepare(name: str, folder: Path) -> None:
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    if name == "keras_shipped":  # as TensorFlow ships: without oneDNN on x86 processors below AVX-512
        has_avx512 = processor.instruction_set() in ("avx512", "avx512_bf16", "amx")
        os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1" if has_avx512 else "0"
    file, function = (PEERS | TRANSFER)[name]
    _READY.append(getattr(importlib.import_module(f"benchmarks.speed.peers.{file}"), function)(folder))


def _epoch() -> tuple[float, float]:
    began = time.perf_counter()
    loss = _READY[0].epoch()
    return float(loss), time.perf_counter() - began


def _test(folder: Path) -> float:
    return accuracy(_READY[0], folder)
