"""The repository at a Git revision or as it stands in the working tree."""

import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.scm import NoSCM, RevError, resolve_rev

from stages.running import errors

Read = Callable[[str], bytes | None]  # a path below the project's folder -> its bytes, if it is there


@contextmanager
def project(folder: Path, config: dict | None = None) -> Iterator[Repo]:
    """Open the DVC project in `folder`, with DVC settings of its own on top.

    Raises:
        errors.BadInput: it is not one, or not in Git, or its files are not as DVC expects them.
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


def resolve(repo: Repo, revision: str) -> str:
    """The commit of a branch, tag, hash, HEAD~1 or name of a DVC experiment.

    Raises:
        errors.BadInput: there is none.
    """
    try:
        return _git(repo, "rev-parse", "--verify", f"{resolve_rev(repo.scm, revision)}^{{commit}}")
    except RevError as error:
        raise errors.BadInput(
            f"expected a Git revision or a DVC experiment, received {revision!r}, which this repository does "
            "not have; a shallow clone (fetch-depth: 1 in CI) lacks other branches"
        ) from error


@contextmanager
def checkout(repo: Repo, commit: str) -> Iterator[Repo]:
    """Open `commit` in a temporary working tree of its own, without data."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder, "tree")
        _git(repo, "worktree", "add", "--quiet", "--detach", str(tree), commit)
        try:
            config = {"core": {"site_cache_dir": str(Path(folder, "site"))}}  # leave nothing in /var/tmp
            with project(tree / _git(repo, "rev-parse", "--show-prefix"), config) as opened:
                yield opened
        finally:
            _git(repo, "worktree", "remove", "--force", str(tree))


def committed(repo: Repo, commit: str) -> Read:
    """How to read files of a commit, straight from Git."""
    files = repo.scm.get_fs(commit)
    prefix = _git(repo, "rev-parse", "--show-prefix")

    def read(path: str) -> bytes | None:
        return files.cat_file(prefix + path) if files.isfile(prefix + path) else None

    return read


def present(repo: Repo) -> Read:
    """How to read files of the working tree."""

    def read(path: str) -> bytes | None:
        file = Path(repo.root_dir, path)
        return file.read_bytes() if file.is_file() else None

    return read


def title(revision: str, commit: str) -> str:
    """A revision with its commit."""
    return revision if commit.startswith(revision) else f"{revision} ({commit[:7]})"


def title_of_tree(repo: Repo) -> str:
    """The working tree with its commit, and whether it has changed since."""
    commit = _git(repo, "rev-parse", "--short", "HEAD")
    changed = _git(repo, "status", "--porcelain", "--untracked-files=no")
    return f"the working tree at {commit}{', with uncommitted changes' if changed else ''}"


def _git(repo: Repo, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=repo.root_dir, capture_output=True, text=True)
    if done.returncode:
        raise errors.BadInput(f"`git {' '.join(arguments)}` failed: {done.stderr.strip()}")
    return done.stdout.strip()
