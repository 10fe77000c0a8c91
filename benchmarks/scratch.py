"""A copy of the working tree in which `dvc` runs, with a Git repository and a DVC cache of its own."""

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from benchmarks.speed import child
from stages.running import errors
from stages.sources import cache

PROJECT = Path(__file__).parents[1]
LAST_LINES = 15  # of the log, in errors


class Scratch:
    """The copy (`tree`), the log of the last command that ran in it (`log`), and on what it trains."""

    def __init__(self, folder: Path, device: str = "cpu"):
        self.tree, self.log, self.device = folder / "tree", folder / "log.txt", device
        self.timing = folder / "timing.json"  # what the last training took

    def write_params(self, document: Mapping[str, Any]) -> None:
        """Write the params that the pipeline will run with."""
        YAML(typ="safe").dump(document, self.tree / "params.yaml")

    def dvc(self, *arguments: str) -> str:
        """Run `dvc` to its end; return what it and its stages printed.

        Raises:
            errors.BadInput: it failed; the message ends with its last lines.
        """
        with self.log.open("wb") as log:
            status = _wait(
                subprocess.Popen(
                    [sys.executable, "-m", "dvc", *arguments],
                    cwd=self.tree,
                    env={**child.environment(self.device), "DVC_NO_ANALYTICS": "1"},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # a group of processes that can be ended together
                )
            )
        printed = self.log.read_text(encoding="utf-8", errors="replace")
        if status != 0:
            last = "\n".join(printed.splitlines()[-LAST_LINES:])
            raise errors.BadInput(f"`dvc {' '.join(arguments)}` failed in {self.tree}:\n{last}")
        return printed


def folder() -> Path:
    """The folder of the copy and of its DVC cache: gigabytes of records, kept for the next run."""
    return cache.folder() / "benchmarks"


@contextlib.contextmanager
def copy(project: Path, folder: Path, device: str = "cpu") -> Iterator[Scratch]:
    """Yield a fresh copy of a working tree: what Git tracks, and new files that it does not ignore. GPUs
    are hidden from what runs there unless the device is "gpu".

    The DVC cache in `folder` stays from one copy to the next, and with it the run cache: data are fetched
    and records written once. The subset stage, some seconds, runs again: DVC keeps no runs of stages with
    an uncached output that is neither a metric nor a plot.

    Raises:
        errors.BadInput: another process uses the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise errors.BadInput(
                f"expected one benchmark at a time, found another that uses {folder}"
            ) from error
        shutil.rmtree(folder / "tree", ignore_errors=True)
        scratch = checkout(project, folder, device)
        scratch.dvc("cache", "dir", "--local", str((folder / "cache").resolve()))
        # Links take no time and no room; stages replace their outputs and never write into them.
        scratch.dvc("config", "--local", "cache.type", "reflink,hardlink,copy")
        yield scratch


def checkout(project: Path, folder: Path, device: str = "cpu") -> Scratch:
    """Copy a working tree, without what Git ignores, into a repository of its own without commits, whose
    train stage writes what it took."""
    scratch = Scratch(folder, device)
    for name in _files(project):
        (scratch.tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(project / name, scratch.tree / name)
    subprocess.run(["git", "init", "--quiet"], cwd=scratch.tree, check=True)
    pipeline = YAML().load(scratch.tree / "dvc.yaml")
    pipeline["stages"]["train"]["cmd"] += f" --timing {scratch.timing.resolve()}"
    YAML().dump(pipeline, scratch.tree / "dvc.yaml")
    return scratch


def _files(project: Path) -> list[str]:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=project, check=True, capture_output=True, text=True).stdout
    return [name for name in listed.split("\0") if name and (project / name).is_file()]


def _wait(process: subprocess.Popen) -> int:
    try:
        return process.wait()
    except BaseException:  # Ctrl-C: whatever it is, no training may outlive us
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()
        raise
