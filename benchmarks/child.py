"""A command run to its end in a process of its own: how long it took, and how much memory."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, NamedTuple

from stages.running import errors

PROJECT = Path(__file__).parents[1]
FILES = {  # by stage: what it reads and writes in a folder
    "download": ["raw", "faults.csv"],
    "subset": ["raw", "subset", "data.json", "data.png"],
    "records": ["raw", "subset", "records", "training_images.png"],
    "train": ["records/train", "records/val", "model", "history.csv"],
    "evaluate": ["model", "records/test", "data.json", "history.csv", "reports"],
}
LAST_LINES = 15  # of what a command said, in errors
# Linux counts what a process held when it started a command towards the command's peak, so that a
# small process has to start it.
_MEASURE = """
import json, resource, subprocess, sys, time
began = time.perf_counter()
status = subprocess.call(sys.argv[1:], stdout=sys.stderr)
seconds = time.perf_counter() - began
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
print(json.dumps({"status": status, "seconds": seconds, "peak": peak}))
"""


def answer(name: str, asked: Future) -> Any:
    """Return what a worker process answered; `name` is for the error message.

    Raises:
        errors.BadInput: the worker failed.
    """
    if failure := asked.exception():
        raise errors.BadInput(f"{name}: {failure!r}") from failure
    return asked.result()


class Usage(NamedTuple):
    """The time and memory that a command took."""

    seconds: float
    peak_mib: float  # of physical memory, mapped files included, of its largest process
    said: str  # on both of its outputs


def environment(device: str = "cpu") -> dict[str, str]:
    """The environment variables of a benchmark's processes: this Python comes first on PATH, and GPUs are
    hidden unless `device` is "gpu"."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    hidden = {"CUDA_VISIBLE_DEVICES": "-1"} if device == "cpu" else {}
    return {**os.environ, "PATH": path, "DVC_NO_ANALYTICS": "1", **hidden}


def stage(name: str, folder: Path, *files: str) -> Usage:
    """Run a stage of the project on files in a folder, with the params file there; raises what `run` does."""
    words = [sys.executable, "-m", f"stages.{name}", *(folder / file for file in files)]
    return run([*words, "--params", folder / "params.yaml"], PROJECT)


def run(command: Iterable[object], folder: Path, device: str = "cpu") -> Usage:
    """Run a command in a folder, with the environment for a device.

    Raises:
        errors.BadInput: it fails; with the last lines that it said.
    """
    words = list(map(str, command))
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
        outer = subprocess.Popen(
            [sys.executable, "-c", _MEASURE, *words],
            cwd=folder,
            env=environment(device),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=said,
            start_new_session=True,  # a group of processes that can be ended together
        )
        try:
            printed, _ = outer.communicate()
        except BaseException:  # Ctrl-C: whatever it is, no training may outlive us
            os.killpg(outer.pid, signal.SIGTERM)
            outer.wait()
            raise
        said.seek(0)
        text = said.read()
    measured = json.loads(printed) if outer.returncode == 0 else {"status": outer.returncode}
    if measured["status"]:
        last = "\n".join(text.splitlines()[-LAST_LINES:])
        raise errors.BadInput(f"`{' '.join(words)}` failed in {folder}, status {measured['status']}:\n{last}")
    return Usage(measured["seconds"], measured["peak"], text)
