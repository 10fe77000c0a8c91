"""Read dvc.lock, and say how two of them differ."""

from collections.abc import Iterator

import pydantic

from stages.review import revision

FILE = "dvc.lock"


class _Entry(pydantic.BaseModel):
    """A dependency or an output of a stage."""

    model_config = pydantic.ConfigDict(extra="allow")
    path: str


class _Lock(pydantic.BaseModel):
    """A stage of dvc.lock."""

    model_config = pydantic.ConfigDict(extra="allow")
    deps: list[_Entry] = []
    outs: list[_Entry] = []


class _Document(pydantic.BaseModel):
    """A file dvc.lock."""

    stages: dict[str, _Lock]


def read(files: revision.Revision) -> dict[str, dict]:
    """Return the stages of a revision's dvc.lock by name; none if there is no such file.

    Raises:
        errors.BadInput: the file is damaged.
    """
    document = files.yaml(FILE)
    if document is None:
        return {}
    try:
        return _Document.model_validate(document).model_dump(exclude_unset=True)["stages"]
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False)[0]
        received = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise files.fault(FILE, "a lock file that DVC wrote", received) from error


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
