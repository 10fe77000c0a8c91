"""Write outputs whole or not at all: they are built beside their place, then renamed into it."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import pydantic

from stages.running import documents, errors, paramfile

RERUN = "run `dvc checkout`, or rerun the stage that writes it"

S = TypeVar("S", bound=pydantic.BaseModel)


def require_replaceable(path: Path) -> None:
    """Check that a path can be replaced: refuse a device, a pipe, a folder or a link.

    Raises:
        errors.BadInput: something that is not a plain file is at `path`.
    """
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise errors.BadInput(
            f"expected a plain file or nothing at {path}, found something else; name another file, or move"
            " it away"
        )


@contextmanager
def folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder that replaces `path` when the block succeeds.

    Raises:
        errors.BadInput: something that is not a folder is at `path`.
    """
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise errors.BadInput(f"expected a folder or nothing at {path}, found something else; move it away")
    partial = path.with_name(path.name + ".partial")
    _remove(partial)
    try:
        with _named(path):
            partial.mkdir(parents=True)
            yield partial
            shutil.rmtree(path, ignore_errors=True)
            partial.rename(path)
    finally:
        _remove(partial)


@contextmanager
def file(path: Path) -> Iterator[Path]:
    """Yield a path beside `path`, with the same suffix; its file replaces `path` when the block succeeds.

    Raises:
        errors.BadInput: see `require_replaceable`.
    """
    require_replaceable(path)
    partial = path.with_name(".partial-" + path.name)
    try:
        with _named(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            _remove(partial)
            yield partial
            partial.replace(path)
    finally:
        _remove(partial)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Give the output's name to an error of the system that has none, such as that of a full disk."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = str(path)
        raise


def _remove(partial: Path) -> None:
    """Remove what an output is built in, whatever a run before has left there."""
    if partial.is_dir() and not partial.is_symlink():
        shutil.rmtree(partial, ignore_errors=True)
    else:
        with suppress(OSError):  # where nothing can be removed, nothing can be written
            partial.unlink()


def write_json(path: Path, value: object, sort_keys: bool = True) -> None:
    """Write JSON, by default with sorted keys, so that equal values give equal bytes; NaN is an error.

    What is not UTF-8 in the name of a file reaches Python as surrogates; JSON has escapes for them.
    """
    text = json.dumps(value, indent=2, sort_keys=sort_keys, allow_nan=False, ensure_ascii=False)
    with file(path) as partial:
        partial.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")


def read_json(path: Path, largest: int = documents.LARGEST) -> dict:
    """Read a JSON object that an earlier stage wrote.

    Raises:
        errors.BadInput: the file is missing, larger than `largest` bytes, or not as a stage writes it.
    """
    try:
        return documents.parse_json(documents.read(path, largest))
    except documents.Unfit as unfit:
        raise errors.BadInput(f"{path}: {unfit}; {RERUN}") from unfit


def read(schema: type[S], path: Path, largest: int = documents.LARGEST) -> S:
    """Read JSON as `read_json` does, and check it against the schema of what the earlier stage wrote."""
    values = read_json(path, largest)
    try:
        return paramfile.check(schema, values, str(path))
    except errors.BadInput as error:
        raise errors.BadInput(f"{error}; {RERUN}") from error
