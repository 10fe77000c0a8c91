"""Build TFRecord files: fit the normalization, augment, and write epochs ready to be streamed.

Reads data/subset; writes data/records (a folder per split) and a figure of the training images.
"""

import contextlib
import functools
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pydantic
import tensorflow as tf

from stages.figures import canvas, training_images
from stages.inputs import allocator, arrays, augment, balance, draws, manifest, names, normalize, tfrecord
from stages.running import ahead, command, disk, errors, outputs, paramfile, progress

SPLITS = ["train", "val", "test"]
FIGURE_IMAGES = 10
FIGURE_VIEWS = 4
FIGURE_PIXELS = 160  # of height and width, at most, of an image in the figure
LABEL_AND_POSITION = 4 + 8  # bytes of them in a record
PARALLEL = 8  # records being augmented at a time, at most
LARGEST_IMAGE = 1 << 30  # bytes; a record holds less than 2 GiB


class Params(paramfile.Section):
    """Parameters: how pixels are scaled and augmented, and how records are laid out."""

    normalize: Literal["standardize", "unit", "none"]
    augment: list[dict[str, dict[str, Any] | None]]
    views: int = pydantic.Field(ge=1, le=999)
    balance: balance.Wanted
    images_per_record: int = pydantic.Field(ge=1)
    shards: int = pydantic.Field(ge=1, le=99)
    seed: paramfile.Seed

    @pydantic.field_validator("augment")
    @classmethod
    def _known(cls, listed: list[dict]) -> list[dict]:
        augment.parse(listed)
        return listed


def records(params: Params, subset: Path, folder: Path, figure: Path) -> None:
    """Write the records and the manifest of each split to `folder`/{train,val,test}, and the figure.

    Only the training split is augmented, `params.views` times, and the normalization is fitted to it only, to
    each image once. Images of small classes are repeated in it, each time augmented in another way, if
    `params.balance` asks for it.
    Pixels stay uint8: the constants travel in the manifest and become the model's first layer.

    Raises:
        errors.BadInput: an array is not as the subset stage writes it, or the disk has no room for the
            records.
        OSError: the disk is full.
    """
    allocator.keep_freed_memory()
    splits = {split: arrays.Split(subset / split) for split in SPLITS}
    operations = augment.parse(params.augment)
    in_view = {name: _class_images(content) for name, content in splits.items()}
    in_view["train"] = balance.class_images_in_view(params.balance, in_view["train"])
    _require_space(folder, splits, in_view, params.views)
    constants = _fit(params.normalize, splits["train"])
    with outputs.folder(folder) as partial:
        for split, content in splits.items():
            (partial / split).mkdir()
            names.copy(subset / split, partial / split)
            is_train = split == "train"
            _write_split(
                partial / split,
                content,
                params,
                constants,
                operations if is_train else [],
                in_view[split],
                is_train,
            )
    _draw(figure, splits["train"], operations, params.seed)


def _class_images(content: arrays.Split) -> np.ndarray:
    """Count the images of each class, int64 [K]."""
    return np.bincount(content.labels, minlength=len(content.manifest.classes))


def _require_space(
    folder: Path, splits: dict[str, arrays.Split], in_view: dict[str, np.ndarray], views: int
) -> None:
    """Check, before the first record is written, that the disk has room for all of them."""
    shape = splits["train"].manifest.image_shape
    if (size := manifest.image_bytes(shape)) > LARGEST_IMAGE:
        raise errors.BadInput(
            f"expected images of at most {LARGEST_IMAGE:,} bytes, received {size:,} ({shape}); set a smaller"
            " subset.image_size"
        )
    copies = {split: views if split == "train" else 1 for split in splits}
    images = sum(copies[split] * int(counts.sum()) for split, counts in in_view.items())
    remedy = "lower records.views, records.balance, subset.image_size or subset.limit_per_class"
    disk.require_space(folder, images * (size + LABEL_AND_POSITION), remedy)


def _images_per_record(wanted: int, image_shape: Sequence[int]) -> int:
    """The number of images per record, limited so that a record keeps to its bytes."""
    return min(wanted, max(1, tfrecord.RECORD_BYTES // manifest.image_bytes(image_shape)))


def _fit(method: str, train: arrays.Split) -> normalize.Constants:
    places, shape = np.arange(len(train.images)), train.manifest.image_shape
    step = _images_per_record(len(places), shape)  # in memory at a time
    chunks = (train.images[places[i : i + step]] for i in range(0, len(places), max(1, step)))
    return normalize.METHODS[method](chunks, shape[-1])


def _write_split(
    folder: Path,
    content: arrays.Split,
    params: Params,
    constants: normalize.Constants,
    operations: list[augment.Operation],
    in_view: np.ndarray,
    is_train: bool,
) -> None:
    count, views = int(in_view.sum()), params.views if is_train else 1
    per_record = _images_per_record(params.images_per_record, content.manifest.image_shape)
    blocks = _augmented_blocks(content, in_view, params.seed, per_record, operations, views, shuffle=is_train)
    per_view = -(-count // per_record)
    sizes = [len(part) for part in np.array_split(np.arange(per_view), params.shards)]
    label = f"writing {folder.name} records"
    with contextlib.closing(blocks), progress.bar(count * views, label, "images") as bar:
        for view in range(views):
            for shard, size in enumerate(sizes):
                path = folder / tfrecord.shard_name(view, shard)
                tfrecord.write_shard(path, _serialized(blocks, size, bar))
    values = {
        **content.manifest.model_dump(exclude_none=True),
        "augment": params.augment if is_train else [],
        "class_images": _class_images(content).tolist(),
        "class_images_in_view": in_view.tolist(),
        "count": count,
        "images_per_record": per_record,
        "normalization": dict(zip(("method", "mean", "std"), (params.normalize, *constants), strict=True)),
        "seed": params.seed,
        "shards": params.shards,
        "views": views,
    }
    manifest.write(folder, values)


def _serialized(blocks: Iterator[tfrecord.Batch], count: int, bar: progress.Bar) -> Iterator[bytes]:
    for _ in range(count):
        block = next(blocks)
        yield tfrecord.serialize(*block)
        bar.update(len(block[1]))


def _augmented_blocks(
    content: arrays.Split,
    in_view: np.ndarray,
    seed: int,
    size: int,
    operations: list[augment.Operation],
    views: int,
    shuffle: bool,
) -> Generator[tfrecord.Batch, None, None]:
    """Give blocks of `size` images, view after view, augmented in parallel, in a fixed order."""
    images, count = len(content.labels), int(in_view.sum())
    per_view = -(-count // size)
    columns = sum(operation.draws for operation in operations)
    taken = [(tf.uint8, content.manifest.image_shape), (tf.float32, [columns])]
    apply = tf.function(
        lambda images, numbers: augment.apply(operations, images, numbers),
        input_signature=[tf.TensorSpec([None, *shape], dtype) for dtype, shape in taken],
        autograph=False,
    )

    @functools.lru_cache(maxsize=2)
    def order(view: int) -> tuple[np.ndarray, np.ndarray]:
        places, copies = balance.repeated(content.labels, in_view, seed, view)
        shuffled = draws.permutation(seed, view, count) if shuffle else np.arange(count)
        return places[shuffled], copies[shuffled]

    def block(number: int) -> tfrecord.Batch:
        view, place = divmod(number, per_view)
        here = slice(place * size, (place + 1) * size)
        places, copies = (each[here] for each in order(view))
        pixels = content.images[places]
        if operations:
            numbers = augment.draw(operations, seed, view, places + copies * images)
            pixels = apply(pixels, numbers).numpy()
        return pixels, content.labels[places], content.positions[places]

    return ahead.mapped(block, range(views * per_view), PARALLEL)


def _draw(path: Path, train: arrays.Split, operations: list[augment.Operation], seed: int) -> None:
    """Show the first training images plain, and as the first views have them."""
    shown = np.arange(min(FIGURE_IMAGES, len(train.labels)))
    step = -(-max(train.manifest.image_shape[:2]) // FIGURE_PIXELS)
    rows = {"plain": train.images[shown]}
    for view in range(FIGURE_VIEWS if operations else 0):
        numbers = augment.draw(operations, seed, view, shown)
        rows[f"view {view}"] = augment.apply(operations, tf.constant(train.images[shown]), numbers).numpy()
    rows = {name: images[:, ::step, ::step] for name, images in rows.items()}
    drawn = training_images.figure(rows, train.labels[shown].tolist(), train.manifest.classes)
    with outputs.file(path) as partial:
        canvas.save(drawn, partial)


if __name__ == "__main__":
    command.run(records, Params)
