"""How much memory a training needs at least, and how much there is."""

import math
from collections.abc import Iterator
from pathlib import Path

import keras
import tensorflow as tf

from stages.running import disk, errors

LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")  # of containers
SYSTEM = "/proc/meminfo"


def require(network: keras.Model, batch_size: int) -> None:
    """Check that the memory has room for what a step of training keeps: the output of every layer.

    A step needs more, so that a training that passes can still be too large.

    Args:
        network: The network that is trained.
        batch_size: The number of images in a batch.

    Raises:
        errors.BadInput: the memory is smaller.
    """
    needed, there = batch_size * bytes_per_image(network), available()
    if there is not None and needed > there:
        room = f"{needed / disk.GIB:,.1f} GiB, but there are {there / disk.GIB:,.1f} GiB"
        raise errors.BadInput(
            f"a batch of {batch_size:,} images needs a memory of at least {room}; lower train.batch_size,"
            " subset.image_size or the widths of the model"
        )


def bytes_per_image(network: keras.Model) -> int:
    """Return the bytes of the outputs of all layers for one image."""
    return sum(math.prod(tensor.shape[1:]) * tf.as_dtype(tensor.dtype).size for tensor in _outputs(network))


def _outputs(network: keras.Model) -> Iterator[keras.KerasTensor]:
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            yield from _outputs(layer)
        else:
            yield from keras.tree.flatten(layer.output)


def available() -> int | None:
    """Return the bytes of memory that the system or its container has; None where neither says it."""
    found = [int(text) for path in LIMITS if (text := _read(path).strip()).isdecimal()]
    for line in _read(SYSTEM).splitlines():
        name, _, rest = line.partition(":")
        if name == "MemTotal":
            found.append(1024 * int(rest.split()[0]))
    return min(found, default=None)


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii")
    except OSError:
        return ""
