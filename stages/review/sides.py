"""The two sides of a comparison over seeds: what has been trained of each, and training what is missing."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from stages.review import lockfile, project, trainings
from stages.running import errors

LAST_LINES = 6  # of what a training that failed said
PATIENCE = 20  # seconds in which an interrupted training ends
INPUT = "give an absolute path in params.yaml, or commit the file to Git"


class Side(NamedTuple):
    """A commit, in a working tree of its own that has no data."""

    name: str  # in words
    commit: str
    repo: project.Project  # the project with its experiments and its cache
    tree: project.Project
    first: int  # the seed of its params
    kind: (
        str | None
    )  # see `trainings.kind`; None where dvc.lock does not fit the commit and nothing is trained
    own: trainings.Training | None  # what is committed, if it fits the code and the params
    only_training: bool  # whether the data are another stage's that cannot run in a copy

    def trained(self) -> list[trainings.Training]:
        """Return all that Git has of this side, by seed."""
        kind = self.kind or _kind_of_experiments(self.repo, self.commit)
        return [] if kind is None else trainings.alike(self.repo, kind, self.own)

    def missing(self, count: int) -> list[int]:
        """Return the seeds to train until there are `count`: the params' own first, then 0, 1, and so on."""
        known = {training.seed for training in self.trained()}
        free = [self.first, *range(count + len(known) + 1)]
        wanted = [seed for seed in dict.fromkeys(free) if seed not in known]
        return wanted[: max(count - len(known), 0)]

    def train(self, seed: int) -> None:
        """Train with a seed, as an experiment of DVC in a temporary copy; its run cache repeats nothing.

        Raises:
            errors.BadInput: a stage failed.
        """
        name = f"seed-{seed}-{self.commit[:7]}"
        words = ["exp", "run", "--temp", "--name", name, "--set-param", f"train.{trainings.SEED}={seed}"]
        if self.only_training:
            words += ["--single-item", trainings.TRAIN, trainings.EVALUATE]
        status, said = _dvc(words, Path(self.tree.root_dir))
        if status:
            raise errors.BadInput(
                f"`dvc exp run` of {self.name} with train.{trainings.SEED}={seed} failed; what was trained"
                f" before is kept. It ended with:\n{_last(said)}"
            )


@contextlib.contextmanager
def opened(repo: project.Project, revision: str) -> Iterator[Side]:
    """Open a revision as a side, in a temporary working tree that uses the project's cache.

    Raises:
        errors.BadInput: there is no such revision, it has no seed, or its data cannot be made from it.
    """
    commit = project.resolve(repo, revision)
    name = project.title(revision, commit)
    files = project.committed(repo, commit, name)
    seed = trainings.seed(files.yaml(trainings.PARAMS) or {})
    if seed is None:
        raise errors.BadInput(
            f"expected a whole number train.{trainings.SEED} in {trainings.PARAMS} of {name}, received none;"
            " name a revision that has one"
        )
    with project.checkout(repo, commit, name) as tree:
        project.share_cache(repo, tree)
        stale, is_hidden = _stale(tree, lockfile.read(files), name)
        kind, own = (None, None) if stale else trainings.read(files)
        yield Side(name, commit, repo, tree, seed, kind, own, is_hidden)


def _stale(tree: project.Project, lock: dict[str, dict], name: str) -> tuple[bool, bool]:
    """Whether the lock does not fit the commit; and whether it depends on files that Git does not have."""
    made = {out["path"] for stage in lock.values() for out in stage.get("outs", [])}
    read = {dep["path"] for stage in lock.values() for dep in stage.get("deps", [])} - made
    found = project.stale(tree)
    hidden = {
        path for why in found.values() for path in why if path in read and not project.is_tracked(tree, path)
    }
    behind = {stage for stage, why in found.items() if not why.keys() <= hidden}
    if hidden & found.get(trainings.TRAIN, {}).keys():
        raise errors.BadInput(f"{name} trains with files that Git does not have ({_some(hidden)}); {INPUT}")
    if hidden and behind - {trainings.TRAIN, trainings.EVALUATE}:
        raise errors.BadInput(
            f"dvc.lock of {name} is stale in {_some(behind)}, and a copy lacks what Git does not have"
            f" ({_some(hidden)}); run `dvc repro` there and commit its results first"
        )
    return bool(behind), bool(hidden)


def _kind_of_experiments(repo: project.Project, commit: str) -> str | None:
    """The kind of what was trained of a commit whose own dvc.lock says nothing."""
    for name, made in reversed(project.experiments(repo)):
        if name.startswith("seed-") and name.endswith(f"-{commit[:7]}"):
            return trainings.read(project.committed(repo, made, f"the experiment {name}"))[0]
    return None


def _dvc(words: list[str], folder: Path) -> tuple[int, str]:
    """Run `dvc` in a group of processes of its own, which ends with this one."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    running = subprocess.Popen(
        [sys.executable, "-m", "dvc", *words],
        cwd=folder,
        env={**os.environ, "PATH": path, "DVC_NO_ANALYTICS": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        said, _ = running.communicate()
    except KeyboardInterrupt:
        _end(running)
        raise
    return running.returncode, said.decode(errors="replace")


def _end(running: subprocess.Popen) -> None:
    """Interrupt a group of processes and wait until none of them writes any more."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.communicate(timeout=PATIENCE)
            return


def _last(said: str) -> str:
    """The line of a stage that says what is wrong, or else the last lines."""
    lines = [line for line in said.splitlines() if line.strip()]
    clear = [line for line in lines if ": error: " in line]
    return "\n".join(clear[-1:] or lines[-LAST_LINES:])


def _some(names: set[str]) -> str:
    return ", ".join(sorted(names))
