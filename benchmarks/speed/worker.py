"""A process that trains one peer, an epoch each time it is told to go.

`python -m benchmarks.speed.worker PEER FOLDER` builds the network, then answers every line on its standard
input with one of JSON: "epoch" with {"loss": ..., "seconds": ...}, "test" with {"accuracy": ...} on
FOLDER/subset/test. In between it waits without computing, so that several peers can take turns on the
same cores.
"""

import contextlib
import importlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Self

import numpy as np

from benchmarks.speed import child, peer
from stages.running import errors


class Worker:
    """The other end: starts such a process, and ends it with the `with` statement."""

    def __init__(self, name: str, folder: Path):
        self.name = name
        self.said = tempfile.TemporaryFile("w+")
        command = [sys.executable, "-m", "benchmarks.speed.worker", name, str(folder)]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.said,
            text=True,
            env=child.environment(),
        )

    def epoch(self) -> dict[str, float]:
        """Let it train one epoch: mean loss, and seconds.

        Raises:
            errors.BadInput: the process ended instead; with the last lines that it said.
        """
        return self._ask("epoch")

    def test(self) -> float:
        """Ask for the accuracy on the test images.

        Raises:
            errors.BadInput: as of `epoch`.
        """
        return self._ask("test")["accuracy"]

    def _ask(self, what: str) -> dict[str, float]:
        answer = ""
        if self.process.stdin and self.process.stdout:
            with contextlib.suppress(BrokenPipeError):
                print(what, file=self.process.stdin, flush=True)
            answer = self.process.stdout.readline()
        if not answer:
            self.said.seek(0)
            last = "".join(self.said.readlines()[-15:])
            raise errors.BadInput(
                f"peer {self.name}: expected an answer to {what!r}, but its process ended:\n{last}"
            )
        return json.loads(answer)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self.process:
            self.process.kill()
        self.said.close()


def serve(name: str, folder: Path) -> None:
    """Be the worker until standard input ends."""
    answers, sys.stdout = sys.stdout, sys.stderr  # libraries print, too
    trained = importlib.import_module(f"benchmarks.speed.peers.{name}").prepare(folder)
    tasks = {"epoch": lambda: _epoch(trained), "test": lambda: {"accuracy": accuracy(trained, folder)}}
    for asked in sys.stdin:
        print(json.dumps(tasks[asked.strip()]()), file=answers, flush=True)


def _epoch(trained: peer.Peer) -> dict[str, float]:
    began = time.perf_counter()
    loss = trained.epoch()
    return {"loss": loss, "seconds": time.perf_counter() - began}


def accuracy(trained: peer.Peer, folder: Path) -> float:
    """The share of the images of `folder`/subset/test that it classifies right."""
    images, labels = (np.load(folder / "subset/test" / f"{name}.npy") for name in ("images", "labels"))
    return float(np.mean(trained.classify(images) == labels))


if __name__ == "__main__":
    serve(sys.argv[1], Path(sys.argv[2]))
