"""Write outputs whole or not at all: they are built beside their place, then renamed into it."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stages.running import errors


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


def read_json(path: Path) -> dict:
    """Read a JSON object that an earlier stage wrote.

    Raises:
        errors.BadInput: the file is missing, or not as a stage writes it.
    """
    if not path.is_file():
        raise errors.BadInput(f"expected {path} from an earlier stage, found none; run `dvc repro`")
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise errors.BadInput(
            f"{path}: expected JSON from an earlier stage, received another or a damaged file: {error};"
            " run `dvc checkout`, or rerun the stage that writes it"
        ) from error
    if not isinstance(value, dict):
        raise errors.BadInput(
            f"{path}: expected a JSON object from an earlier stage, received {type(value).__name__}; run"
            " `dvc checkout`, or rerun the stage that writes it"
        )
    return value
