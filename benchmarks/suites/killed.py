"""Kill the pipeline at random moments: does the next `dvc repro` end with the same bytes?

    python -m benchmarks killed              # twenty whole runs and twenty longer trainings, on the digits
    python -m benchmarks killed --count 2    # a rough look

Each run begins in a fresh copy of the working tree with empty caches of its own. After a random time DVC and
all of its processes are killed by SIGKILL, and `dvc repro` is run again. Then all files of data/ and
reports/ and dvc.lock are compared with those of a run that was not killed. In the longer training only the
train stage is killed.
"""

import os
import random
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML

from benchmarks import child, machine, options, scratch, table
from stages.running import errors, progress
from stages.sources import checksums

CONFIG = Path("configs/digits.yaml")
SAID, PREPARED = "said.txt", "prepared"
GOES_ON = re.compile(r"going on after epoch (\d+)")
RUNNING = re.compile(r"Running stage '(\w+)'")


class Case(NamedTuple):
    """What is killed."""

    name: str
    epochs: int | None  # of the training; None leaves the config's
    first: str | None  # the last stage that runs before the clock starts


class Killed(NamedTuple):
    """A run that was killed, and how the next one ended."""

    seconds: float  # after which it was killed
    stage: str  # that ran then
    epoch: int | None  # after which the next run went on; None if it started anew
    same: bool  # as the run that was not killed


def main(words: Sequence[str]) -> None:
    """Run the benchmark.

    Raises:
        errors.BadInput: a run ended with other bytes, or failed.
    """
    parser = options.parser("killed", __doc__)
    parser.add_argument("--count", type=int, default=20, help="of kills in each case")
    parser.add_argument("--epochs", type=int, default=250, help="of the longer training")
    parser.add_argument("--seed", type=int, default=0, help="of the random moments")
    parser.add_argument("--output", type=Path, default=Path("reports/benchmarks/killed.json"))
    chosen = parser.parse_args(words)
    cases = [Case("whole runs", None, None), Case("longer trainings", chosen.epochs, "records")]
    moments = random.Random(chosen.seed)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        found = {case.name: attempt(case, Path(folder), chosen.count, moments) for case in cases}
    report = {name: [each._asdict() for each in runs] for name, runs in found.items()}
    machine.publish(chosen.output, render(found), report)
    if not all(run.same for runs in found.values() for run in runs):
        raise errors.BadInput("expected the same bytes after every kill, found others")


def attempt(case: Case, folder: Path, count: int, moments: random.Random) -> list[Killed]:
    """Kill a case so many times, each time in a fresh copy, and run it to its end after each kill."""
    prepare(case, folder)
    tree = fresh(folder)
    began = time.monotonic()
    repro(tree, None)
    lasts = time.monotonic() - began
    expected = digests(tree)
    runs = []
    with progress.bar(count, case.name, "kills") as bar:
        for _ in range(count):
            tree = fresh(folder)
            seconds = moments.uniform(0, lasts)
            stages = RUNNING.findall(repro(tree, seconds))
            went_on = GOES_ON.search(repro(tree, None))
            epoch = int(went_on[1]) if went_on else None
            runs.append(
                Killed(round(seconds, 1), stages[-1] if stages else "", epoch, digests(tree) == expected)
            )
            bar.update(1)
    return runs


def prepare(case: Case, folder: Path) -> None:
    """Make a copy of the working tree with empty caches, in which the first stages of the case are done."""
    shutil.rmtree(folder, ignore_errors=True)
    tree = scratch.checkout(child.PROJECT, folder, params=CONFIG).tree
    if case.epochs:
        yaml = YAML()
        document = yaml.load(tree / "params.yaml")
        document["train"]["epochs"] = case.epochs
        yaml.dump(document, tree / "params.yaml")
    if case.first:
        repro(tree, None, case.first)
    tree.rename(folder / PREPARED)


def fresh(folder: Path) -> Path:
    """Return a copy of the prepared tree, with an empty cache of downloads beside it."""
    tree = folder / "tree"
    for left in (tree, folder / "cache"):
        shutil.rmtree(left, ignore_errors=True)
    shutil.copytree(folder / PREPARED, tree, symlinks=True)
    return tree


def repro(tree: Path, seconds: float | None, *stages: str) -> str:
    """Run `dvc repro` in a tree, kill it after some seconds if they are given, and return what it said.

    Raises:
        errors.BadInput: it failed, although it was not killed.
    """
    environment = child.environment() | {"IMAGE_PIPELINE_CACHE": str(tree.parent / "cache")}
    with (tree.parent / SAID).open("wb") as said:
        running = subprocess.Popen(
            ["dvc", "repro", *stages],
            cwd=tree,
            env=environment,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a group of processes that can be killed together
        )
        try:
            running.wait(seconds)
        except BaseException as reason:  # the time is over, or Ctrl-C: no training may outlive us
            os.killpg(running.pid, signal.SIGKILL)
            running.wait()
            if not isinstance(reason, subprocess.TimeoutExpired):
                raise
    text = (tree.parent / SAID).read_text(encoding="utf-8", errors="replace")
    if running.returncode and seconds is None:
        last = "\n".join(text.splitlines()[-child.LAST_LINES :])
        raise errors.BadInput(f"`dvc repro` failed in {tree}, status {running.returncode}:\n{last}")
    return text


def digests(tree: Path) -> dict[str, str]:
    """Return the SHA-256 of every file that a run leaves, by path."""
    files = [tree / "dvc.lock", *(tree / "data").rglob("*"), *(tree / "reports").rglob("*")]
    return {
        path.relative_to(tree).as_posix(): checksums.of_file(path, "sha256")
        for path in files
        if path.is_file()
    }


def render(found: dict[str, list[Killed]]) -> str:
    """The kills as tables for a terminal."""
    parts = []
    for name, runs in found.items():
        rows: list[list[Any]] = [
            [
                f"{run.seconds:.1f}",
                run.stage or "before the first",
                run.epoch or "",
                "yes" if run.same else "NO",
            ]
            for run in sorted(runs)
        ]
        same = sum(run.same for run in runs)
        heads = ["killed after, s", "in stage", "went on after epoch", "same bytes"]
        parts.append(f"{name}: {same} of {len(runs)} the same\n\n{table.render(heads, rows)}")
    return "\n\n".join(parts)
