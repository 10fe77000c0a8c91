"""A command run to its end in a process of its own: how long it took, and how much memory."""

import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from stages.running import errors


class Usage(NamedTuple):
    """What a command took."""

    seconds: float
    peak_mib: float  # of physical memory, mapped files included


def run(command: Sequence[str | Path], folder: Path) -> Usage:
    """Run a command in a folder; children of the command do not count towards its memory.

    Raises:
        errors.BadInput: it fails; with the last lines that it said.
    """
    with tempfile.TemporaryFile("w+") as said:
        began = time.perf_counter()
        process = subprocess.Popen([*map(str, command)], cwd=folder, stdout=said, stderr=said)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            last = "".join(said.readlines()[-15:])
            raise errors.BadInput(f"{' '.join(map(str, command))}: status {process.returncode}\n{last}")
    return Usage(seconds, usage.ru_maxrss / 1024)
