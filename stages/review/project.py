"""The DVC project at a Git revision or as it is in the working tree.

DVC has a public interface for data only. This file is the only one that uses what is inside of DVC.
"""

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.scm import NoSCM, RevError, resolve_rev

from stages.review import revision
from stages.running import documents, ellipsis, errors

Project: TypeAlias = Repo  # what `opened` gives, for the other functions of this file
PARSED = ("dvc.yaml", "dvc.lock", "params.yaml")
LONGEST_NAME = 250  # characters of a revision
LINK = "120000"  # Git's mode of a link
EXPERIMENT = re.compile(
    r"refs/exps/[0-9a-f]{2}/[0-9a-f]{38}/(?P<name>[^/]+)"
)  # below it: the commit it is based on


@contextmanager
def opened(folder: Path, config: dict | None = None, name: str = "the working tree") -> Iterator[Project]:
    """Open the DVC project in `folder`, with DVC settings of its own on top; `name` is for error messages.

    Raises:
        errors.BadInput: the folder is no DVC project or not in Git, or has files that DVC cannot read.
    """
    _require_readable(folder, name)
    try:
        with Repo(str(folder), config=config) as repo:
            if isinstance(repo.scm, NoSCM) or repo.scm.no_commits:
                raise errors.BadInput(
                    f"expected a Git repository with a commit, received {folder.resolve()}; clone the"
                    " project, or run `git init && git add . && git commit -m start` in it"
                )
            yield repo
    except DvcException as error:
        raise errors.BadInput(f"DVC cannot read the project in {name}: {error}") from error


def resolve(repo: Project, name: str) -> str:
    """Return the commit of a branch, tag, hash, HEAD~1 or name of a DVC experiment.

    Raises:
        errors.BadInput: the repository has no such revision.
    """
    if len(name) <= LONGEST_NAME and name.isprintable() and not name.startswith("-"):
        try:
            return _git(repo, "rev-parse", "--verify", f"{resolve_rev(repo.scm, name)}^{{commit}}")
        except (RevError, errors.BadInput):  # the second: it is a file or a folder
            pass
    received = ellipsis.cut(repr(name), LONGEST_NAME)
    raise errors.BadInput(
        f"expected a Git revision or a DVC experiment, received {received}, which this repository does not"
        " have; a shallow clone (fetch-depth: 1 in CI) lacks other branches"
    )


@contextmanager
def checkout(repo: Project, commit: str, name: str) -> Iterator[Project]:
    """Open `commit`, which is `name` in words, in a temporary working tree of its own, without data."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder, "tree")
        _git(repo, "worktree", "add", "--quiet", "--detach", str(tree), commit)
        try:
            config = {"core": {"site_cache_dir": str(Path(folder, "site"))}}  # leave nothing in /var/tmp
            with opened(tree / _git(repo, "rev-parse", "--show-prefix"), config, name) as inside:
                yield inside
        finally:
            _git(repo, "worktree", "remove", "--force", str(tree))


def share_cache(repo: Project, tree: Project) -> None:
    """Let a temporary working tree use the cache of the project, and what this machine sets for it."""
    config = repo.config.read("local")
    config.setdefault("cache", {})["dir"] = repo.cache.local_cache_dir
    config.setdefault("core", {})["site_cache_dir"] = tree.config["core"]["site_cache_dir"]
    with tree.config.edit("local") as local:
        local.update(config)


def experiments(repo: Project) -> list[tuple[str, str]]:
    """Return the name and the commit of each of DVC's experiments that this repository has, oldest first."""
    listed = _git(
        repo, "for-each-ref", "--sort=creatordate", "--format=%(refname) %(objectname)", "refs/exps"
    )
    found = (line.rpartition(" ") for line in listed.splitlines())
    return [(match["name"], commit) for ref, _, commit in found if (match := EXPERIMENT.fullmatch(ref))]


def is_tracked(repo: Project, path: str) -> bool:
    """Return whether Git has a path, or of a folder more than the file that tells Git to ignore the rest."""
    tracked = _git(repo, "ls-files", "-z", "--", path).split("\0")
    return any(Path(name).name != ".gitignore" for name in tracked if name)


def committed(repo: Project, commit: str, name: str) -> revision.Revision:
    """Return a commit's files, straight from Git; `name` is the commit in words."""

    def find(path: str) -> revision.File | None:
        entry = _git(repo, "ls-tree", "-z", "--long", commit, "--", path).rstrip("\0")
        if not entry:
            return None
        mode, kind, blob, size = entry.partition("\t")[0].split()
        if kind != "blob":
            return revision.File(f"a {'folder' if kind == 'tree' else kind}", 0, bytes)
        if mode == LINK:
            return revision.File("a link", 0, bytes)
        return revision.File(
            documents.PLAIN_FILE, int(size), lambda: _run(repo.root_dir, "cat-file", "blob", blob)
        )

    return revision.Revision(name, find)


def present(repo: Project, name: str) -> revision.Revision:
    """Return the working tree's files; `name` is the tree in words."""
    return revision.in_folder(Path(repo.root_dir), name)


def _require_readable(folder: Path, name: str) -> None:
    """Check, before DVC reads it, what Git has or would add: no devices, no links that lead outside.

    Raises:
        errors.BadInput: a file is of another kind, or a file that DVC parses holds other than plain values.
    """
    try:
        top = Path(os.fsdecode(_run(folder, "rev-parse", "--show-toplevel")).removesuffix("\n")).resolve()
    except errors.BadInput:  # not in Git, which `opened` says
        return
    listed = _run(top, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    files = revision.in_folder(top, name)
    for path in filter(None, os.fsdecode(listed).split("\0")):
        file = top / path
        if not file.exists():
            continue
        if not file.resolve().is_relative_to(top):
            raise files.fault(path, "a file, or a link that stays in the repository", "a link that leads out")
        if not file.is_dir() and not file.is_file():
            raise files.fault(path, documents.PLAIN_FILE, documents.kind(file.stat().st_mode))
        if file.name in PARSED or file.suffix == ".dvc":
            files.yaml(path)


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
        elif not out.is_in_repo:
            yield out.def_path, "outside of the repository"
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
    return f"the working tree at {commit}{', with uncommitted changes' if has_changes(repo) else ''}"


def has_changes(repo: Project) -> bool:
    """Return whether files that Git tracks differ from the last commit."""
    return bool(_git(repo, "status", "--porcelain", "--untracked-files=no"))


def _git(repo: Project, *arguments: str) -> str:
    return os.fsdecode(_run(repo.root_dir, *arguments)).strip()


def _run(folder: str | Path, *arguments: str) -> bytes:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise errors.BadInput(f"`git {' '.join(arguments)}` failed: {said}")
    return done.stdout
