"""Build TFRecord files: fit the normalization, augment, and write epochs ready to be streamed.

Reads data/subset, and the pictures that are only listed there by data/raw; writes data/records (a folder per
split) and a figure of the training images.
"""

import contextlib
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pydantic
import tensorflow as tf

from stages.building import decoded, encoding, shards, sources, way
from stages.figures import canvas, training_images
from stages.inputs import allocator, arrays, augment, balance, manifest, names, normalize
from stages.running import command, disk, outputs, paramfile

FIGURE_IMAGES = 10
FIGURE_VIEWS = 4
FIGURE_PIXELS = 160  # of height and width, at most, of an image in the figure


class Encoded(paramfile.Section):
    """Parameters of encoded images."""

    quality: int = pydantic.Field(ge=1, le=100)  # of JPEG
    short_side: int | None = pydantic.Field(ge=1)  # pixels, of pictures in their own shapes


class Params(paramfile.Section):
    """Parameters: how pixels are scaled and augmented, and how records are laid out."""

    normalize: Literal["standardize", "unit", "none"]
    augment: list[dict[str, dict[str, Any] | None]]
    views: int = pydantic.Field(ge=1, le=999)
    balance: balance.Wanted
    encoding: way.Wanted
    encoded: Encoded
    scheduler: str | None
    images_per_record: int = pydantic.Field(ge=1)
    shards: int = pydantic.Field(ge=1, le=99)
    seed: paramfile.Seed

    @pydantic.field_validator("augment")
    @classmethod
    def _known(cls, listed: list[dict]) -> list[dict]:
        augment.parse(listed)
        return listed


def records(params: Params, raw_files: Path, subset: Path, folder: Path, figure: Path) -> None:
    """Write the records and the manifest of each split to `folder`/{train,val,test}, and the figure.

    Only the training split is augmented, `params.views` times, or in every epoch anew if it is encoded. The
    normalization is fitted to it only, to each image once. Images of small classes are repeated in it, each
    time augmented in another way, if `params.balance` asks for it.
    Pixels stay uint8: the constants travel in the manifest and become the model's first layer.

    Raises:
        errors.BadInput: an array is not as the subset stage writes it, a picture is not the one that was
            downloaded, `params.encoded` cannot be, nobody answers at `params.scheduler`, or the disk has no
            room for the records.
        errors.Unreachable: the scheduler has ended.
        OSError: the disk is full.
    """
    allocator.keep_freed_memory()
    train = arrays.read(subset / "train")
    others = {split: arrays.Split(subset / split) for split in ("val", "test")}
    in_view = balance.class_images_in_view(params.balance, _class_images(train))
    views = decoded.Views(params.views, augment.parse(params.augment), in_view, params.seed, shuffle=True)
    source = sources.of(train, subset / "train", raw_files)
    plan = None
    if way.is_encoded(params.encoding, train.manifest.image_shape, int(in_view.sum()), params.views):
        how = encoding.choose(train.manifest.image_shape, params.encoded.quality, params.encoded.short_side)
        way.require_possible(how, train, views.operations)
        identity = sources.identity(train, subset / "train", raw_files)
        plan = shards.plan(train, source, how, params.normalize == "standardize", identity)
    pixels = decoded.size(train.manifest.image_shape, sum(len(other.labels) for other in others.values()))
    needed = plan.needed if plan else decoded.needed(train, views)
    what = plan.what if plan else f"{views.number} x {int(in_view.sum()):,} images"
    remedy = shards.REMEDY if plan else decoded.REMEDY
    disk.require_space(folder, pixels + needed, remedy, f"{what} of train, and those of val and test")
    with outputs.folder(folder) as partial, contextlib.ExitStack() as until_all_is_written:
        for split in ("train", *others):
            (partial / split).mkdir()
            names.copy(subset / split, partial / split)
        if plan:
            building = shards.written(partial / "train", plan, params.scheduler)
            written = until_all_is_written.enter_context(building)
            constants = _constants(params.normalize, written.sums)
            layout = written.described
        else:
            with decoded.pixels(train, source, partial / "pixels") as content:
                constants = _fit(params.normalize, content)
                layout = _write(partial / "train", content, views, params)
        _describe(partial / "train", train, params, constants, layout, views)
        for split, content in others.items():
            plain = decoded.Views(1, [], _class_images(content), params.seed, shuffle=False)
            layout = _write(partial / split, content, plain, params)
            _describe(partial / split, content, params, constants, layout, plain)
    _draw(figure, train, source, views)


def _class_images(content: arrays.Chosen) -> np.ndarray:
    """Count the images of each class, int64 [K]."""
    return np.bincount(content.labels, minlength=len(content.manifest.classes))


def _fit(method: str, train: arrays.Split) -> normalize.Constants:
    return normalize.METHODS[method](decoded.chunks(train.images), train.manifest.image_shape[-1])


def _constants(method: str, sums: normalize.Sums) -> normalize.Constants:
    """Return the constants of encoded images, whose pixels were added up if the method needs them."""
    if method == "standardize":
        return normalize.standardized(sums)
    return normalize.METHODS[method]([], len(sums.total))


def _write(folder: Path, content: arrays.Split, views: decoded.Views, params: Params) -> dict[str, Any]:
    """Write decoded records; return what the manifest says of their files."""
    per_record = decoded.images_per_record(params.images_per_record, content.manifest.image_shape)
    decoded.write(folder, content, views, per_record, params.shards)
    return {"images_per_record": per_record, "shards": params.shards}


def _describe(
    folder: Path,
    content: arrays.Chosen,
    params: Params,
    constants: normalize.Constants,
    layout: dict[str, Any],
    views: decoded.Views,
) -> None:
    values = {
        **content.manifest.model_dump(exclude_none=True, exclude={"listed"}),
        "augment": params.augment if views.operations else [],
        "class_images": _class_images(content).tolist(),
        "class_images_in_view": views.in_view.tolist(),
        "count": int(views.in_view.sum()),
        "normalization": dict(zip(("method", "mean", "std"), (params.normalize, *constants), strict=True)),
        "seed": params.seed,
        "views": views.number,
        **layout,
    }
    manifest.write(folder, values)


def _draw(path: Path, train: arrays.Chosen, source: sources.Source, views: decoded.Views) -> None:
    """Show the first training images plain, and as the first views have them."""
    shown = np.arange(min(FIGURE_IMAGES, len(train.labels)))
    plain = np.stack([source.image(place) for place in shown.tolist()])
    step = -(-max(train.manifest.image_shape[:2]) // FIGURE_PIXELS)
    rows = {"plain": plain}
    for view in range(FIGURE_VIEWS if views.operations else 0):
        numbers = augment.draw(views.operations, views.seed, view, shown)
        rows[f"view {view}"] = augment.apply(views.operations, tf.constant(plain), numbers).numpy()
    rows = {name: images[:, ::step, ::step] for name, images in rows.items()}
    drawn = training_images.figure(rows, train.labels[shown].tolist(), train.manifest.classes)
    with outputs.file(path) as partial:
        canvas.save(drawn, partial)


if __name__ == "__main__":
    command.run(records, Params)
