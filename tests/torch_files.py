"""Files in PyTorch's older format, written byte by byte, and the tensors of EfficientNet-Lite0."""

import pickle
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from stages.backbones import inert_pickle, torch_file

MACHINE = {"protocol_version": 1001, "little_endian": True}
KINDS = {"float32": "FloatStorage", "int64": "LongStorage"}


def pickled(value: Any) -> bytes:
    """A pickle of a value, in which calls, names and persistent objects are what they stand for."""
    return pickle.PROTO + b"\x02" + _opcodes(value) + pickle.STOP


def _opcodes(value: Any) -> bytes:
    if value is None or isinstance(value, bool):
        return {None: pickle.NONE, True: pickle.NEWTRUE, False: pickle.NEWFALSE}[value]
    if isinstance(value, int):
        size = value.bit_length() // 8 + 1
        return pickle.LONG1 + bytes([size]) + value.to_bytes(size, "little", signed=True)
    if isinstance(value, str):
        return pickle.BINUNICODE + len(value.encode()).to_bytes(4, "little") + value.encode()
    if isinstance(value, inert_pickle.Name):
        return pickle.GLOBAL + f"{value.module}\n{value.name}\n".encode()
    if isinstance(value, inert_pickle.Persistent):
        return _opcodes(value.key) + pickle.BINPERSID
    if isinstance(value, inert_pickle.Call):
        call = _opcodes(value.function) + _opcodes(value.arguments) + pickle.REDUCE
        return call + (_items(value.items) if value.items else b"")
    if isinstance(value, dict):
        return pickle.EMPTY_DICT + _items(value)
    inside = b"".join(map(_opcodes, value))
    if isinstance(value, tuple):
        return pickle.MARK + inside + pickle.TUPLE
    return pickle.EMPTY_LIST + pickle.MARK + inside + pickle.APPENDS


def _items(items: Mapping[str, Any]) -> bytes:
    flat = (part for item in items.items() for part in item)
    return pickle.MARK + b"".join(map(_opcodes, flat)) + pickle.SETITEMS


def storage(key: str, kind: str, length: int) -> inert_pickle.Persistent:
    return inert_pickle.Persistent(("storage", inert_pickle.Name("torch", kind), key, "cpu", length, None))


def tensor(where: Any, offset: Any, sizes: Any, strides: Any) -> inert_pickle.Call:
    hooks = inert_pickle.Call(inert_pickle.Name("collections", "OrderedDict"), ())
    name = inert_pickle.Name("torch._utils", "_rebuild_tensor_v2")
    return inert_pickle.Call(name, (where, offset, sizes, strides, False, hooks))


def dictionary(items: Mapping[str, Any]) -> inert_pickle.Call:
    return inert_pickle.Call(inert_pickle.Name("collections", "OrderedDict"), (), dict(items))


def file(tensors: Any, storages: Mapping[str, np.ndarray]) -> bytes:
    """A file with tensors (see `dictionary` and `tensor`) of storages."""
    pickles = [torch_file.MAGIC, torch_file.VERSION, MACHINE, tensors, list(storages)]
    values = [len(each).to_bytes(8, "little") + each.tobytes() for each in storages.values()]
    return b"".join([*map(pickled, pickles), *values])


def of_arrays(arrays: Mapping[str, np.ndarray]) -> bytes:
    """A file with each array as a tensor with a storage of its own."""
    tensors = {
        name: tensor(
            storage(f"key of {name}", KINDS[array.dtype.name], array.size),
            0,
            array.shape,
            tuple(stride // array.itemsize for stride in array.strides),
        )
        for name, array in arrays.items()
    }
    return file(dictionary(tensors), {f"key of {name}": array.ravel() for name, array in arrays.items()})


def lite0() -> dict[str, np.ndarray]:
    """Random tensors with the names and shapes of EfficientNet-Lite0 without its top, always the same."""
    generator = np.random.default_rng(0)
    return {name: _random(generator, name, shape) for name, shape in _lite0_shapes()}


def _random(generator: np.random.Generator, name: str, shape: tuple[int, ...]) -> np.ndarray:
    if len(shape) == 4:
        values = generator.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape)
    elif name.endswith((".weight", ".running_var")):
        values = generator.uniform(0.5, 1.5, shape)
    else:
        values = generator.normal(0, 0.1, shape)
    return values.astype(np.float32)


def _lite0_shapes() -> Iterator[tuple[str, tuple[int, ...]]]:
    yield "_conv_stem.weight", (32, 3, 3, 3)
    yield from _batch_norm("_bn0", 32)
    before, number = 32, 0
    for after, blocks, size in [
        (16, 1, 3),
        (24, 2, 3),
        (40, 2, 5),
        (80, 3, 3),
        (112, 3, 5),
        (192, 4, 5),
        (320, 1, 3),
    ]:
        for _ in range(blocks):
            block, wide = f"_blocks.{number}", before if number == 0 else 6 * before
            if number > 0:
                yield f"{block}._expand_conv.weight", (wide, before, 1, 1)
                yield from _batch_norm(f"{block}._bn0", wide)
            yield f"{block}._depthwise_conv.weight", (wide, 1, size, size)
            yield from _batch_norm(f"{block}._bn1", wide)
            yield f"{block}._project_conv.weight", (after, wide, 1, 1)
            yield from _batch_norm(f"{block}._bn2", after)
            before, number = after, number + 1
    yield "_conv_head.weight", (1280, 320, 1, 1)
    yield from _batch_norm("_bn1", 1280)


def _batch_norm(name: str, channels: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    for part in ("weight", "bias", "running_mean", "running_var"):
        yield f"{name}.{part}", (channels,)
