"""What dvc.lock says: whether it matches the code and params beside it, and how two of them differ."""

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pydantic
from dvc.repo import Repo
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from stages.running import errors


class _Entry(pydantic.BaseModel):
    """A dependency or an output of a stage."""

    model_config = pydantic.ConfigDict(extra="allow")
    path: str


class _Lock(pydantic.BaseModel):
    """A stage of dvc.lock."""

    model_config = pydantic.ConfigDict(extra="allow")
    deps: list[_Entry] = []
    outs: list[_Entry] = []


def stale(repo: Repo) -> dict[str, dict[str, str]]:
    """The stages whose lock does not match what stands in Git: what in them, and how it differs.

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


def read(content: bytes | None, where: str) -> dict[str, dict]:
    """The stages of a dvc.lock by name; none where there is no such file.

    Args:
        content: What the file holds.
        where: The file in words, for the error.

    Raises:
        errors.BadInput: it is damaged.
    """
    if content is None:
        return {}
    try:
        stages = YAML(typ="safe").load(BytesIO(content))["stages"]
        return {
            name: _Lock.model_validate(lock).model_dump(exclude_unset=True) for name, lock in stages.items()
        }
    except (
        YAMLError,
        AttributeError,
        TypeError,
        KeyError,
        UnicodeDecodeError,
        pydantic.ValidationError,
    ) as error:
        raise errors.BadInput(
            f"{where}: expected a lock file that DVC wrote, received a damaged one: {error}"
        ) from error


def changed(base: dict[str, dict], head: dict[str, dict]) -> dict[str, list[str]]:
    """The stages whose locks differ, each with what differs in it."""
    names = [*head, *(name for name in base if name not in head)]
    found = {name: list(_changes(base.get(name), head.get(name))) for name in names}
    return {name: changes for name, changes in found.items() if changes}


def _changes(base: dict | None, head: dict | None) -> Iterator[str]:
    if base is None or head is None:
        yield "added" if base is None else "removed"
        return
    if base.get("cmd") != head.get("cmd"):
        yield "cmd"
    if base.get("params") != head.get("params"):
        yield "params"
    for kind in ("deps", "outs"):
        before, after = ({each["path"]: each for each in lock.get(kind, [])} for lock in (base, head))
        yield from sorted(path for path in before.keys() | after if before.get(path) != after.get(path))
