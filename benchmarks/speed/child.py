"""A command run to its end in a process of its own: how long it took, and how much memory."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from stages.running import errors

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
    return {**os.environ, "PATH": path, **hidden}


def run(command: Sequence[str | Path], folder: Path) -> Usage:
    """Run a command in a folder.

    Raises:
        errors.BadInput: it fails; with the last lines that it said.
    """
    words = list(map(str, command))
    with tempfile.TemporaryFile("w+") as said:
        outer = [sys.executable, "-c", _MEASURE, *words]
        done = subprocess.run(
            outer,
            cwd=folder,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
            check=True,
        )
        measured = json.loads(done.stdout)
        said.seek(0)
        usage = Usage(measured["seconds"], measured["peak"], said.read())
    if measured["status"]:
        last = "\n".join(usage.said.splitlines()[-15:])
        raise errors.BadInput(f"{' '.join(words)}: status {measured['status']}\n{last}")
    return usage
