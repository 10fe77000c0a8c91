"""A process that trains one peer, an epoch each time it is told to go.

`python -m benchmarks.worker PEER FOLDER` builds the network, then answers every line on its
standard input with one of JSON: {"loss": ..., "seconds": ...}. In between it waits without
computing, so that several peers can take turns on the same cores.
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

from stages.running import errors


class Worker:
    """The other end: starts such a process, and ends it with the `with` statement."""

    def __init__(self, peer: str, folder: Path):
        self.peer = peer
        self.said = tempfile.TemporaryFile("w+")
        command = [sys.executable, "-m", "benchmarks.worker", peer, str(folder)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.said, text=True
        )

    def epoch(self) -> dict[str, float]:
        """Let it train one epoch: mean loss, and seconds.

        Raises:
            errors.BadInput: the process ended instead; with the last lines that it said.
        """
        answer = ""
        if self.process.stdin and self.process.stdout:
            with contextlib.suppress(BrokenPipeError):
                print("go", file=self.process.stdin, flush=True)
            answer = self.process.stdout.readline()
        if not answer:
            self.said.seek(0)
            last = "".join(self.said.readlines()[-15:])
            raise errors.BadInput(f"peer {self.peer}: expected an epoch, but its process ended:\n{last}")
        return json.loads(answer)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self.process:
            self.process.kill()
        self.said.close()


def serve(peer: str, folder: Path) -> None:
    """Be the worker until standard input ends."""
    answers, sys.stdout = sys.stdout, sys.stderr  # libraries print, too
    epoch = importlib.import_module(f"benchmarks.peers.{peer}").prepare(folder)
    for _ in sys.stdin:
        began = time.perf_counter()
        loss = epoch()
        answer = {"loss": loss, "seconds": time.perf_counter() - began}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    serve(sys.argv[1], Path(sys.argv[2]))
