"""Write a split's records as pixels: view after view, augmented in parallel, in a fixed order."""

import contextlib
import functools
import shutil
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from stages.building import sources
from stages.inputs import arrays, augment, balance, draws, manifest, operation, tfrecord
from stages.running import ahead, errors, progress

LABEL_AND_POSITION = 4 + 8  # bytes of them in a record
PARALLEL = 8  # records being augmented at a time, at most
REMEDY = (
    "lower records.views, records.balance, subset.image_size or subset.limit_per_class, or set"
    " records.encoding to encoded"
)
LARGEST_IMAGE = 1 << 30  # bytes; a record holds less than 2 GiB


class Views(NamedTuple):
    """What the views of a split are."""

    number: int
    operations: list[operation.Operation]
    in_view: np.ndarray  # images of each class in a view, int64 [K]
    seed: int
    shuffle: bool


def images_per_record(wanted: int, image_shape: Sequence[int]) -> int:
    """The number of images per record, limited so that a record keeps to its bytes."""
    return min(wanted, max(1, tfrecord.RECORD_BYTES // manifest.image_bytes(image_shape)))


def size(image_shape: Sequence[int], images: int) -> int:
    """Return the bytes of some images in records.

    Raises:
        errors.BadInput: an image is too large for a record.
    """
    if (of_one := manifest.image_bytes(image_shape)) > LARGEST_IMAGE:
        raise errors.BadInput(
            f"expected images of at most {LARGEST_IMAGE:,} bytes, received {of_one:,} ({image_shape}); set a"
            " smaller subset.image_size"
        )
    return images * (of_one + LABEL_AND_POSITION)


def needed(train: arrays.Chosen, views: Views) -> int:
    """Return the bytes that the records of the training split take, with its pixels while they are written.

    Raises:
        errors.BadInput: see `size`.
    """
    shape = train.manifest.image_shape
    meanwhile = manifest.image_bytes(shape) * len(train.labels) if train.manifest.listed else 0
    return meanwhile + size(shape, views.number * int(views.in_view.sum()))


def chunks(images: arrays.Images) -> Iterator[np.ndarray]:
    """Yield all images of a split, as many at a time as a record holds at most."""
    places = np.arange(len(images))
    step = images_per_record(max(1, len(places)), images.shape[1:])
    return (images[places[i : i + step]] for i in range(0, len(places), step))


@contextlib.contextmanager
def pixels(chosen: arrays.Chosen, source: sources.Source, folder: Path) -> Iterator[arrays.Split]:
    """Give a split whose pixels are there; those of listed pictures are written to a folder meanwhile.

    Raises:
        errors.BadInput: a picture is not the one that was downloaded.
    """
    if isinstance(chosen, arrays.Split):
        yield chosen
        return
    stated = chosen.manifest.model_copy(update={"listed": None})
    try:
        with progress.bar(stated.count, "decoding pictures", "pictures") as bar:
            images = progress.counted(ahead.mapped(source.image, range(stated.count)), bar)
            arrays.write(folder, stated, images, chosen.labels, chosen.positions)
        yield arrays.Split(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write(folder: Path, content: arrays.Split, views: Views, per_record: int, shards: int) -> None:
    """Write the files of all views to a folder.

    Args:
        folder: The folder; it exists.
        content: The split.
        views: What is written of it.
        per_record: The number of images in a record.
        shards: The number of files of a view.

    Raises:
        OSError: the disk is full.
    """
    count = int(views.in_view.sum())
    blocks = _augmented_blocks(content, views, per_record)
    per_view = -(-count // per_record)
    sizes = [len(part) for part in np.array_split(np.arange(per_view), shards)]
    label = f"writing {folder.name} records"
    with contextlib.closing(blocks), progress.bar(count * views.number, label, "images") as bar:
        for view in range(views.number):
            for shard, records in enumerate(sizes):
                path = folder / tfrecord.shard_name(view, shard)
                tfrecord.write_shard(path, _serialized(blocks, records, bar))


def _serialized(blocks: Iterator[tfrecord.Batch], count: int, bar: progress.Bar) -> Iterator[bytes]:
    for _ in range(count):
        block = next(blocks)
        yield tfrecord.serialize(*block)
        bar.update(len(block[1]))


def _augmented_blocks(
    content: arrays.Split, views: Views, size: int
) -> Generator[tfrecord.Batch, None, None]:
    """Give blocks of `size` images, view after view, augmented in parallel, in a fixed order."""
    images, count = len(content.labels), int(views.in_view.sum())
    per_view = -(-count // size)
    columns = sum(each.draws for each in views.operations)
    taken = [(tf.uint8, content.manifest.image_shape), (tf.float32, [columns])]
    apply = tf.function(
        lambda images, numbers: augment.apply(views.operations, images, numbers),
        input_signature=[tf.TensorSpec([None, *shape], dtype) for dtype, shape in taken],
        autograph=False,
    )

    @functools.lru_cache(maxsize=2)
    def order(view: int) -> tuple[np.ndarray, np.ndarray]:
        places, copies = balance.repeated(content.labels, views.in_view, views.seed, view)
        shuffled = draws.permutation(views.seed, view, count) if views.shuffle else np.arange(count)
        return places[shuffled], copies[shuffled]

    def block(number: int) -> tfrecord.Batch:
        view, place = divmod(number, per_view)
        here = slice(place * size, (place + 1) * size)
        places, copies = (each[here] for each in order(view))
        pixels = content.images[places]
        if views.operations:
            numbers = augment.draw(views.operations, views.seed, view, places + copies * images)
            pixels = apply(pixels, numbers).numpy()
        return pixels, content.labels[places], content.positions[places]

    return ahead.mapped(block, range(views.number * per_view), PARALLEL)
