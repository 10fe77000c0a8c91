"""Read tensors that PyTorch saved in its format from before version 1.6, without PyTorch and without calls.

The file is a sequence of pickles (`_legacy_save` in torch/serialization.py): a magic number, the version of
the format, the byte order, the dictionary of tensors, and the keys of the storages. The values of each
storage follow in the order of the keys: how many (int64), then their bytes. A tensor is a view of a storage.
A pickle can call any function when it is unpickled, so these are read as data, by `inert_pickle`.
"""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from stages.backbones import inert_pickle
from stages.running import errors

MAGIC = 0x1950A86A20F9469CFC6C
VERSION = 1001
LARGEST = 1 << 30  # bytes of a file
MOST_AXES = 8  # of a tensor

_DICTIONARY = inert_pickle.Name("collections", "OrderedDict")
_TENSOR = inert_pickle.Name("torch._utils", "_rebuild_tensor_v2")
_DTYPES: dict[inert_pickle.Name, np.dtype] = {
    inert_pickle.Name("torch", "FloatStorage"): np.dtype("<f4"),
    inert_pickle.Name("torch", "LongStorage"): np.dtype("<i8"),
}


class _Storage(NamedTuple):
    """An array of values, as each of its tensors declares it."""

    key: str
    dtype: np.dtype
    length: int


class _Tensor(NamedTuple):
    """A view of a storage; offset and strides count values, not bytes."""

    storage: _Storage
    offset: int
    sizes: tuple[int, ...]
    strides: tuple[int, ...]


def read(path: Path) -> dict[str, np.ndarray]:
    """Read a file with a dictionary of tensors.

    Returns:
        For each name a float32 or int64 array of the tensor's sizes. It is a view that cannot be written.

    Raises:
        errors.BadInput: the file holds something else, is damaged or truncated, or larger than LARGEST.
    """
    try:
        if (size := path.stat().st_size) > LARGEST:
            raise errors.BadInput(f"expected at most {LARGEST:,} bytes, received {size:,}")
        return _read(path.read_bytes())
    except errors.BadInput as error:
        raise errors.BadInput(f"{path}: {error}") from error


def _read(content: bytes) -> dict[str, np.ndarray]:
    stream = io.BytesIO(content)  # shares the bytes
    _require_format(content, stream)
    tensors = {name: _tensor(value) for name, value in _items(inert_pickle.read(stream)).items()}
    declared = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
    keys = inert_pickle.read(stream)
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise errors.BadInput("expected the keys of the storages, received something else")
    if sorted(keys) != sorted(declared):
        raise errors.BadInput(f"expected {len(declared)} storages of the tensors, received others")
    values = _values(content, stream.tell(), [declared[key] for key in keys])
    return {name: _view(tensor, declared, values) for name, tensor in tensors.items()}


def _require_format(content: bytes, stream: io.BytesIO) -> None:
    """Read what is before the tensors, and check that it announces the older format."""
    if content.startswith(b"PK"):
        raise errors.BadInput(
            "expected PyTorch's older format, received its newer one, a zip; save the tensors again with"
            " torch.save(tensors, path, _use_new_zipfile_serialization=False)"
        )
    expected = {"a magic number": MAGIC, "a version of the format": VERSION}
    for what, number in expected.items():
        received = inert_pickle.read(stream)
        if type(received) is not int or received != number:
            raise errors.BadInput(f"expected a file of PyTorch's older format, with {what} of {number}")
    machine = inert_pickle.read(stream)
    if not isinstance(machine, dict) or machine.get("little_endian") is not True:
        raise errors.BadInput("expected values whose first byte is the lowest (little_endian)")


def _items(value: Any) -> Mapping[str, Any]:
    """Return the items of a dictionary of either kind."""
    if isinstance(value, dict):
        return value
    if isinstance(value, inert_pickle.Call) and value.function == _DICTIONARY and value.arguments == ():
        return value.items
    raise errors.BadInput(f"expected a dictionary of tensors, received {_described(value)}")


def _tensor(value: Any) -> _Tensor:
    if not isinstance(value, inert_pickle.Call) or value.function != _TENSOR:
        raise errors.BadInput(f"expected a tensor, received {_described(value)}")
    arguments = value.arguments
    if not isinstance(arguments, tuple) or len(arguments) not in (6, 7):  # the seventh is metadata
        raise errors.BadInput("expected a tensor's storage, offset, sizes and strides, received others")
    tensor = _Tensor(_storage(arguments[0]), *arguments[1:4])
    counts = [tensor.sizes, tensor.strides]
    if not _is_count(tensor.offset) or not all(map(_are_counts, counts)):
        raise errors.BadInput("expected whole numbers as a tensor's offset, sizes and strides")
    if len(tensor.sizes) != len(tensor.strides) or len(tensor.sizes) > MOST_AXES or 0 in tensor.sizes:
        raise errors.BadInput(
            f"expected a tensor of at most {MOST_AXES} axes, each with a size and a stride, and not empty"
        )
    _require_inside(tensor)
    return tensor


def _storage(value: Any) -> _Storage:
    """Read ("storage", type, key, place, number of values, view of another storage or None)."""
    key = value.key if isinstance(value, inert_pickle.Persistent) else None
    if not isinstance(key, tuple) or len(key) != 6 or key[0] != "storage":
        raise errors.BadInput("expected the storage of a tensor, received something else")
    _, kind, name, _, count, view = key
    if not isinstance(kind, inert_pickle.Name) or kind not in _DTYPES:
        known = " or ".join(f"{module}.{name}" for module, name in _DTYPES)
        raise errors.BadInput(f"expected {known}, received {_described(kind)}")
    if not isinstance(name, str) or not _is_count(count) or view is not None:
        raise errors.BadInput("expected a storage with a key and a number of values, and no view of another")
    return _Storage(name, _DTYPES[kind], count)


def _require_inside(tensor: _Tensor) -> None:
    """Check that a tensor has no more values than its storage, and none outside of it."""
    last, values = tensor.offset, 1
    for size, stride in zip(tensor.sizes, tensor.strides, strict=True):
        last += (size - 1) * stride
        values *= size
    length = tensor.storage.length
    if last >= length or values > length:
        raise errors.BadInput(f"expected a tensor inside of its storage of {length} values")


def _values(content: bytes, position: int, storages: list[_Storage]) -> dict[str, np.ndarray]:
    """Read the values of all storages, which begin at a position and end with the file."""
    values = {}
    for storage in storages:
        announced = int.from_bytes(content[position : position + 8], "little")
        position += 8
        size = storage.length * storage.dtype.itemsize
        left = max(0, len(content) - position)
        if announced != storage.length or size > left:
            raise errors.BadInput(
                f"expected a storage of {storage.length:,} values, received {announced:,} in a file with"
                f" {left:,} bytes left; it is damaged or truncated"
            )
        values[storage.key] = np.frombuffer(content, storage.dtype, storage.length, position)
        position += size
    if position != len(content):
        raise errors.BadInput(
            f"expected the end of the file, received {len(content) - position:,} more bytes"
        )
    return values


def _view(tensor: _Tensor, declared: Mapping[str, _Storage], values: Mapping[str, np.ndarray]) -> np.ndarray:
    if declared[tensor.storage.key] != tensor.storage:
        raise errors.BadInput("expected a storage of one type and size, received one with two")
    begun = values[tensor.storage.key][tensor.offset :]
    strides = [stride * begun.itemsize for stride in tensor.strides]
    return np.lib.stride_tricks.as_strided(begun, tensor.sizes, strides, writeable=False)


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _are_counts(values: Any) -> bool:
    return isinstance(values, tuple) and all(map(_is_count, values))


def _described(value: Any) -> str:
    """Return what a value of a pickle is in a few words; it may be nested too deeply to be printed."""
    called = isinstance(value, inert_pickle.Call)
    name = value.function if called else value
    if isinstance(name, inert_pickle.Name):
        return ("a call of " if called else "") + ascii(f"{name.module}.{name.name}")[:80]
    return f"a value of type {type(value).__name__}"
