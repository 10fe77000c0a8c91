"""Read dvc.lock, and say how two of them differ."""

from collections.abc import Iterator
from io import BytesIO

import pydantic
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


def read(content: bytes | None, where: str) -> dict[str, dict]:
    """Return the stages of a dvc.lock by name; none if there is no such file.

    Args:
        content: The content of the file; None if there is none.
        where: The file in words, for the error message.

    Raises:
        errors.BadInput: the file is damaged.
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
    """Return the stages whose locks differ, each with a list of what differs in it."""
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
