"""Arrays in NumPy's .npy files, read only if their header says what a manifest says."""

import io
import math
import tokenize
from pathlib import Path

import numpy as np

from stages.running import documents, errors

# The exceptions that NumPy raises for files that are not arrays.
UNREADABLE = (OSError, ValueError, EOFError, TypeError, OverflowError, SyntaxError, tokenize.TokenError)


def save(path: Path, array: np.ndarray) -> None:
    """Write a .npy file; unlike with np.save on a path, a full disk is an OSError that has its errno."""
    buffer = io.BytesIO()
    np.save(buffer, array)
    path.write_bytes(buffer.getvalue())


def opened(path: Path, dtype: type[np.generic], shape: tuple[int, ...], stage: str) -> io.FileIO:
    """Open a .npy file behind its header.

    Args:
        path: The file.
        dtype: The type of the values that it should have.
        shape: The shape that it should have.
        stage: The stage that writes it, for the error message.

    Raises:
        errors.BadInput: the file is not there, or holds an array of another type, order, shape or size.
    """
    expected = f"{np.dtype(dtype)} of the shape {shape}"
    try:
        documents.require_file(path)
        file = path.open("rb", buffering=0)
        if np.lib.format.read_magic(file) != (1, 0):
            raise ValueError("another version of the format")
        found = np.lib.format.read_array_header_1_0(file)
    except UNREADABLE as error:
        raise not_as_written(path, expected, error, stage) from error
    if found != (shape, False, dtype):
        order = " in Fortran's order" if found[1] else ""
        raise not_as_written(path, expected, f"{found[2]} of the shape {found[0]}{order}", stage)
    size, received = file.tell() + math.prod(shape) * np.dtype(dtype).itemsize, path.stat().st_size
    if received != size:
        raise not_as_written(path, f"{expected} in {size:,} bytes", f"{received:,}", stage)
    return file


def integers(path: Path, count: int, below: int | None, stage: str) -> np.ndarray:
    """Read integers that are at least 0.

    Args:
        path: The file.
        count: Their number, N.
        below: The number that all are below; None if there is none.
        stage: The stage that writes the file, for the error message.

    Returns:
        int64 [N].

    Raises:
        errors.BadInput: see `opened`, or a value is out of range.
    """
    with opened(path, np.int64, (count,), stage) as file:
        values = np.fromfile(file, np.int64)
    if len(values) and (values.min() < 0 or (below is not None and values.max() >= below)):
        bound = "0 or more" if below is None else f"0 to {below - 1}"
        raise not_as_written(path, f"values of {bound}", f"{values.min()} to {values.max()}", stage)
    return values


def not_as_written(path: object, expected: str, received: object, stage: str) -> errors.BadInput:
    """Return the error for a file that is not as a stage has written it."""
    return errors.BadInput(f"{path}: expected {expected}, received {received}; rerun the {stage} stage")
