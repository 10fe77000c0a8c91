"""Peers in processes of their own, each of which trains an epoch when asked and else waits.

In between a process does not compute, so that several peers can take turns on the same cores.
"""

import importlib
import multiprocessing
import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, Self

import numpy as np

from benchmarks.speed import peer
from stages.running import errors

_TRAINED: list[peer.Peer] = []  # in a peer's process: the peer


class Worker:
    """Starts the process of a peer, and ends it with the `with` statement."""

    def __init__(self, name: str, folder: Path):
        self.name, self.folder = name, folder
        self.pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))
        self.prepared = self.pool.submit(_prepare, name, folder)

    def epoch(self) -> dict[str, float]:
        """Let the peer train one epoch; give the mean loss and the seconds.

        Raises:
            errors.BadInput: the peer failed; with its reason.
        """
        return self._ask(_epoch)

    def test(self) -> float:
        """Ask for the peer's accuracy on the test images; raises what `epoch` does."""
        return self._ask(_test, self.folder)

    def _ask(self, function: Callable[..., Any], *arguments: Any) -> Any:
        if not (failure := self.prepared.exception()):
            asked = self.pool.submit(function, *arguments)
            failure = asked.exception()
        if failure:
            raise errors.BadInput(f"peer {self.name}: {failure!r}") from failure
        return asked.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.pool.shutdown(cancel_futures=True)


def accuracy(trained: peer.Peer, folder: Path) -> float:
    """Compute the share of the images of `folder`/subset/test that a peer classifies right."""
    images, labels = (np.load(folder / "subset/test" / f"{name}.npy") for name in ("images", "labels"))
    return float(np.mean(trained.classify(images) == labels))


def _prepare(name: str, folder: Path) -> None:
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    _TRAINED.append(importlib.import_module(f"benchmarks.speed.peers.{name}").prepare(folder))


def _epoch() -> dict[str, float]:
    began = time.perf_counter()
    loss = _TRAINED[0].epoch()
    return {"loss": float(loss), "seconds": time.perf_counter() - began}


def _test(folder: Path) -> float:
    return accuracy(_TRAINED[0], folder)
