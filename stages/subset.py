"""Choose classes, set train, validation and test apart, and shuffle.

Reads data/raw; writes data/subset (a folder of arrays per split) and reports/data.json.
"""

import math
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pydantic

from stages.inputs import arrays
from stages.running import command, disk, errors, outputs, paramfile, plugins
from stages.sources import raw
from stages.splits import carve, repeats, sized


class Params(paramfile.Section):
    """Parameters: which classes and image size, how split, in which order."""

    classes: list[str] | Literal["all"]
    image_size: list[int] | None
    limit_per_class: int | None = pydantic.Field(ge=1)
    val_fraction: float = pydantic.Field(ge=0, lt=1)
    test_fraction: float | None = pydantic.Field(gt=0, lt=1)
    seed: paramfile.Seed

    @pydantic.field_validator("classes", mode="before")
    @classmethod
    def _distinct(cls, names: Any) -> Any:
        if names == "all":
            return names
        if not isinstance(names, list) or not 2 <= len(set(map(str, names))) == len(names):
            raise ValueError(
                f"expected a list of at least two different class names, or all, received {names!r}"
            )
        if others := [name for name in names if not isinstance(name, str)]:
            raise ValueError(
                f"expected the names as text, received {others[0]!r}, which YAML takes for a"
                f" {type(others[0]).__name__}; write {list(map(str, names))}"
            )
        return names

    @pydantic.field_validator("image_size")
    @classmethod
    def _height_and_width(cls, size: list[int] | None) -> list[int] | None:
        if size is not None and (len(size) != 2 or min(size) < 1):
            raise ValueError(f"expected [height, width] in pixels or null, received {size}")
        return size


def subset(params: Params, raw_files: Path, folder: Path, report: Path) -> None:
    """Write `folder`/{train,val,test} in the format of `arrays`, and a JSON report of where the images are
    from and what each split holds.

    An image found in several splits stays in the test split, else in the validation split. The test split
    keeps its published order, whatever the seed. The report names pictures that are there under several
    classes, and published splits that are not used.

    Raises:
        errors.BadInput: raw files that are not those downloaded, an unknown class, fewer than two classes,
            a class with no images, no test split or one without labels, or images of different sizes.
    """
    dataset, names, published = _read(raw_files)
    chosen = _chosen(params.classes, names, dataset)
    ids = [names.index(name) for name in chosen]
    fractions = carve.Fractions(params.val_fraction, params.test_fraction, params.limit_per_class)
    unused = carve.unused(published, params.test_fraction)
    whole = carve.split(published, ids, fractions, params.seed)
    digests = {
        split: repeats.digests(sized.images(content, params.image_size)) for split, content in whole.items()
    }
    splits, repeated = repeats.without_repeats(whole, digests)
    counts = {split: carve.count(content, ids, chosen) for split, content in splits.items()}
    carve.require_images(counts, fractions)
    shape = next(sized.images(splits["train"], params.image_size)).shape
    images = sum(len(content.positions) for content in splits.values())
    remedy = "lower subset.image_size or subset.limit_per_class"
    disk.require_space(folder, images * math.prod(shape), remedy)
    with outputs.folder(folder) as partial:
        for split, content in splits.items():
            _write(partial / split, content, ids, chosen, shape, params.image_size)
    described = {
        "classes": chosen,
        "contradictions": repeats.contradictions(whole, digests, names),
        "dataset": dataset,
        "images": counts,
        "params": params.model_dump(),
        "repeated": repeated,
        "unused": unused,
    }
    outputs.write_json(report, described)
    for split, count in unused.items():
        print(f"not used: the published split {split} with {count:,} labelled images")


def _read(folder: Path) -> tuple[str, list[str], carve.Published]:
    """Read the dataset's name, its classes and its published splits."""
    manifest = raw.read(folder)
    names, published = plugins.load("datasets", manifest.plugin).read(folder)
    for split, (images, labels) in published.items():
        where = f"{manifest.dataset} {split}"
        if len(images) != len(labels):
            raise errors.BadInput(f"{where}: received {len(images)} images, {len(labels)} labels")
        if len(labels) and labels.max() >= len(names):
            raise errors.BadInput(f"{where}: expected labels below {len(names)}, found {labels.max()}")
    return manifest.dataset, names, published


def _chosen(wanted: list[str] | Literal["all"], names: list[str], dataset: str) -> list[str]:
    chosen = names if wanted == "all" else wanted
    for name in chosen:
        if name not in names:
            raise errors.unknown("class", name, names)
    if len(chosen) < 2:
        raise errors.BadInput(f"expected at least two classes, {dataset} has only {', '.join(chosen)}")
    return chosen


def _write(
    folder: Path,
    split: carve.Split,
    ids: list[int],
    chosen: list[str],
    shape: tuple[int, ...],
    size: list[int] | None,
) -> None:
    new_label = np.full(max(ids) + 1, -1)
    new_label[ids] = np.arange(len(ids))
    labels = new_label[split.labels[split.positions]]
    manifest = arrays.Manifest(classes=chosen, count=len(labels), image_shape=list(shape))
    images = sized.images(split, size, shape)
    arrays.write(folder, manifest, images, labels, split.positions)


if __name__ == "__main__":
    command.run(subset, Params)
