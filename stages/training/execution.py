"""Choose how the steps of a training run, and feed them with batches."""

import functools
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal

import keras
import tensorflow as tf

from stages.inputs import tfrecord
from stages.layers import max_pooling, replicas
from stages.running import errors
from stages.training import resident, stepping

Execution = Literal["stepwise", "compiled", "resident"]


def choose(
    wanted: bool | Literal["auto"],
    deterministic: bool,
    device: str,
    network: keras.Model,
    split: tfrecord.Split,
    epochs: int,
) -> Execution:
    """Choose between single operations, a compiled step, and whole epochs in the device's memory.

    On a GPU steps are compiled, and whole epochs are run if the device's memory has room for the images.

    Args:
        wanted: `train.resident`: True asks for the images in the device's memory, "auto" leaves it open.
        deterministic: True if every training must give the same weights, bit for bit.
        device: "cpu" or "gpu".
        network: The network that is trained.
        split: The training records.
        epochs: The number of epochs of the whole training.

    Raises:
        errors.BadInput: images in the device's memory are asked for, but not possible.
    """
    is_refused = deterministic and max_pooling.is_refused(network)
    in_scope = tf.distribute.has_strategy()
    is_encoded = split.manifest.encoded is not None
    if wanted is True and is_encoded:
        raise errors.BadInput(
            "train.resident is true, which expects decoded records, but these are encoded and another view in"
            " every epoch; set it to auto, or records.encoding to decoded"
        )
    if wanted is True and (is_refused or in_scope):
        reason = f"{network.name} has a max-pooling that XLA compiles only without train.deterministic"
        raise errors.BadInput(
            "train.resident is true, which expects one device and a model that XLA compiles, but"
            f" {reason if is_refused else 'a tf.distribute strategy is in charge'}; set it to auto"
        )
    has_room = not is_encoded and resident.size(split, epochs) <= resident.LARGEST
    if is_refused or (device == "cpu" and wanted is not True):
        return "stepwise"
    if wanted is True or (wanted == "auto" and has_room and not in_scope):
        return "resident"
    return "compiled"


def trainer(execution: Execution, batch_size: int) -> Callable[..., stepping.Trainer]:
    """Return a function that makes a trainer of this kind from the other arguments of `stepping.Trainer`."""
    if execution == "resident":
        return functools.partial(resident.Trainer, batch_size=batch_size, jit=True)
    return functools.partial(stepping.Trainer, jit=execution == "compiled")


def streamed(
    split: tfrecord.Split, batch_size: int, epochs: Sequence[int], seed: int = 0
) -> Callable[[int], Iterable]:
    """Read epochs in batches, of which every replica of a `tf.distribute` strategy can take its share.

    Returns:
        A function that takes a place in `epochs` and returns the batches of this epoch. One pipeline serves
        all places that are asked for one after the other.

    Raises:
        errors.BadInput: a replica would get no image of a batch.
    """
    count = split.manifest.count
    _require_images_for_replicas(count, batch_size)

    def read(place: int) -> Iterator:
        return split.batches(batch_size, epochs[place:], seed, replicas.here())

    return in_turn(read, math.ceil(count / batch_size))


def in_turn(read: Callable[[int], Iterator], steps: int) -> Callable[[int], Iterator]:
    """Share one iterator among all epochs that are asked for one after the other.

    Args:
        read: Returns the batches of the epoch at a place and of all that follow.
        steps: The number of batches of an epoch.

    Returns:
        A function that takes a place and returns the batches of this epoch.
    """
    upcoming, batches = -1, iter(())

    def epoch(place: int) -> Iterator:
        nonlocal upcoming, batches
        if place != upcoming:
            batches = read(place)
        upcoming = place + 1
        return itertools.islice(batches, steps)

    return epoch


def _require_images_for_replicas(images: int, batch_size: int) -> None:
    """Check that every replica gets an image of every batch; oneDNN's convolutions fail on none."""
    count, smallest = tf.distribute.get_strategy().num_replicas_in_sync, images % batch_size or batch_size
    if smallest < count:
        raise errors.BadInput(
            f"expected batches of at least one image for each of {count} replicas, received one of"
            f" {smallest}, as {images} images are in batches of {batch_size}; change train.batch_size or"
            " subset.val_fraction"
        )
