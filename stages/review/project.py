"""The DVC project at a Git revision or as it is in the working tree.

DVC has a public interface for data only. This file is the only one that uses what is inside of DVC.
"""

import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.scm import NoSCM, RevError, resolve_rev

from stages.running import errors

Project: TypeAlias = Repo  # what `opened` gives, for the other functions of this file
Read = Callable[[str], bytes | None]  # a path below the project's folder -> its bytes, if it is there


@contextmanager
def opened(folder: Path, config: dict | None = None) -> Iterator[Project]:
    """Open the DVC project in `folder`, with DVC settings of its own on top.

    Raises:
        errors.BadInput: the folder is no DVC project or not in Git, or has files that DVC cannot read.
    """
    try:
        with Repo(str(folder), config=config) as repo:
            if isinstance(repo.scm, NoSCM) or repo.scm.no_commits:
                raise errors.BadInput(
                    f"expected a Git repository with a commit, received {folder.resolve()}; clone the"
                    " project, or run `git init && git add . && git commit -m start` in it"
                )
            yield repo
    except DvcException as error:
        raise errors.BadInput(f"DVC cannot read the project in {folder}: {error}") from error


def resolve(repo: Project, revision: str) -> str:
    """The commit of a branch, tag, hash, HEAD~1 or name of a DVC experiment.

    Raises:
        errors.BadInput: the repository has no such revision.
    """
    try:
        return _git(repo, "rev-parse", "--verify", f"{resolve_rev(repo.scm, revision)}^{{commit}}")
    except RevError as error:
        raise errors.BadInput(
            f"expected a Git revision or a DVC experiment, received {revision!r}, which this repository does "
            "not have; a shallow clone (fetch-depth: 1 in CI) lacks other branches"
        ) from error


@contextmanager
def checkout(repo: Project, commit: str) -> Iterator[Project]:
    """Open `commit` in a temporary working tree of its own, without data."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder, "tree")
        _git(repo, "worktree", "add", "--quiet", "--detach", str(tree), commit)
        try:
            config = {"core": {"site_cache_dir": str(Path(folder, "site"))}}  # leave nothing in /var/tmp
            with opened(tree / _git(repo, "rev-parse", "--show-prefix"), config) as inside:
                yield inside
        finally:
            _git(repo, "worktree", "remove", "--force", str(tree))


def committed(repo: Project, commit: str) -> Read:
    """Make a reader of a commit's files, straight from Git."""
    files = repo.scm.get_fs(commit)
    prefix = _git(repo, "rev-parse", "--show-prefix")

    def read(path: str) -> bytes | None:
        return files.cat_file(prefix + path) if files.isfile(prefix + path) else None

    return read


def present(repo: Project) -> Read:
    """Make a reader of the working tree's files."""

    def read(path: str) -> bytes | None:
        file = Path(repo.root_dir, path)
        return file.read_bytes() if file.is_file() else None

    return read


def stale(repo: Project) -> dict[str, dict[str, str]]:
    """Find the stages whose lock does not match what is in Git: what in them, and how it differs.

    Data is never read, so it may be missing or be another revision's. A stage that only follows
    stale ones is not listed. `dvc repro --dry --allow-missing` says "up to date" of a clean clone,
    but of a stale one it fails on the first missing folder, which hides the other stages.
    """
    stages = repo.index.stages
    made = {out.fs_path: out for stage in stages for out in stage.outs if out.use_cache}
    # DVC's own `addressing` names a stage by the way to it from the current folder.
    names = [getattr(stage, "name", None) or stage.path_in_repo for stage in stages]
    found = {name: dict(_reasons(stage, made)) for name, stage in zip(names, stages, strict=True)}
    return {name: reasons for name, reasons in found.items() if reasons}


def _reasons(stage: Any, made: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if stage.changed_stage():
        yield "cmd", "modified"
    entries = [] if stage.frozen else [dep for dep in stage.deps if dep.is_in_repo]
    for dep in entries:
        if dep.fs_path in made:
            if dep.hash_info != made[dep.fs_path].hash_info:
                yield dep.def_path, "not as the stage before it wrote it"
        else:
            yield from _flat(dep.status())
    for out in stage.outs:
        if not out.hash_info:
            yield out.def_path, "not in dvc.lock"
        elif not out.use_cache:
            yield from ((out.def_path, how) for how in out.status().values())


def _flat(status: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """A file's own status, or that of each changed section of a params file."""
    for path, how in status.items():
        if isinstance(how, dict):
            yield from ((f"{path}:{section}", change) for section, change in how.items())
        else:
            yield path, how


def title(revision: str, commit: str) -> str:
    """Return the name of a revision, followed by its commit unless the name is that already."""
    return revision if commit.startswith(revision) else f"{revision} ({commit[:7]})"


def title_of_tree(repo: Project) -> str:
    """The working tree with its commit, and whether it has changed since."""
    commit = _git(repo, "rev-parse", "--short", "HEAD")
    changed = _git(repo, "status", "--porcelain", "--untracked-files=no")
    return f"the working tree at {commit}{', with uncommitted changes' if changed else ''}"


def _git(repo: Project, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=repo.root_dir, capture_output=True, text=True)
    if done.returncode:
        raise errors.BadInput(f"`git {' '.join(arguments)}` failed: {done.stderr.strip()}")
    return done.stdout.strip()
