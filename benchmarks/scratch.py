"""A copy of the working tree in which `dvc` runs, with a Git repository and a DVC cache of its own."""

import contextlib
import fcntl
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML

from benchmarks import child
from stages.running import errors
from stages.sources import cache


class Scratch(NamedTuple):
    """The copy, and on what it trains."""

    tree: Path
    timing: Path  # what the last training took, as the train stage writes it
    device: str

    def write_params(self, document: Mapping[str, Any]) -> None:
        """Write the params that the pipeline will run with."""
        YAML(typ="safe").dump(document, self.tree / "params.yaml")

    def dvc(self, *arguments: str) -> child.Usage:
        """Run `dvc` to its end.

        Raises:
            errors.BadInput: it failed; the message ends with its last lines.
        """
        return child.run(["dvc", *arguments], self.tree, self.device)


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
            found = f"found another that uses {folder}"
            raise errors.BadInput(f"expected one benchmark at a time, {found}") from error
        shutil.rmtree(folder / "tree", ignore_errors=True)
        scratch = checkout(project, folder, device)
        scratch.dvc("cache", "dir", "--local", str((folder / "cache").resolve()))
        # Links take no time and no room; stages replace their outputs and never write into them.
        scratch.dvc("config", "--local", "cache.type", "reflink,hardlink,copy")
        yield scratch


def checkout(project: Path, folder: Path, device: str = "cpu", params: Path | None = None) -> Scratch:
    """Copy a working tree, without what Git ignores, into a repository of its own without commits, whose
    train stage writes what it took. Another params file can take the place of params.yaml."""
    scratch = Scratch(folder / "tree", folder.resolve() / "timing.json", device)
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=project, check=True, capture_output=True, text=True).stdout
    for name in listed.split("\0"):
        if (project / name).is_file():
            (scratch.tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(project / name, scratch.tree / name)
    shutil.copyfile(project / (params or "params.yaml"), scratch.tree / "params.yaml")
    subprocess.run(["git", "init", "--quiet"], cwd=scratch.tree, check=True)
    pipeline = YAML().load(scratch.tree / "dvc.yaml")
    pipeline["stages"]["train"]["cmd"] += f" --timing {scratch.timing}"
    YAML().dump(pipeline, scratch.tree / "dvc.yaml")
    return scratch
