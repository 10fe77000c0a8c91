"""Write the splits as arrays; training pictures whose pixels take too much room are only listed."""

import math
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from stages.inputs import arrays
from stages.inputs import manifest as manifests
from stages.running import disk, progress
from stages.splits import carve, sized

Decode = Literal["auto", "now", "later"]  # when the training pictures are decoded
REMEDY = "lower subset.image_size or subset.limit_per_class"


class Written(NamedTuple):
    """What all splits have in common.

    Attributes:
        ids: The labels of the chosen classes in the dataset.
        classes: The names of the chosen classes.
        shape: (H, W, C) of the images.
        form: The form that they get.
        listed: How the training pictures are listed; None if their pixels are written.
    """

    ids: list[int]
    classes: list[str]
    shape: tuple[int, ...]
    form: sized.Form
    listed: arrays.Listed | None


def can_wait(train: carve.Split, form: sized.Form) -> bool:
    """Say whether the training pictures can be decoded later: they are files, and their size is known."""
    return form.size is not None and not isinstance(train.images, np.ndarray)


def waits(decode: Decode, train: carve.Split, form: sized.Form, shape: tuple[int, ...]) -> bool:
    """Say whether the training pictures are decoded later, and print it if they are."""
    size = len(train.positions) * math.prod(shape)
    is_small = size <= manifests.LARGEST_DECODED
    if decode == "now" or not can_wait(train, form) or (decode == "auto" and is_small):
        return False
    print(f"{len(train.positions):,} training pictures are listed, for the records stage to decode")
    return True


def require_space(folder: Path, splits: dict[str, carve.Split], how: Written) -> None:
    """Check that the disk has room for the pixels that will be written.

    Raises:
        errors.BadInput: it has not.
    """
    counts = {name: len(split.positions) for name, split in splits.items()}
    if how.listed:
        counts.pop("train")
    waiting = (
        ", or set subset.decode to later" if "train" in counts and can_wait(splits["train"], how.form) else ""
    )
    what = ", ".join(f"{count:,} images of {name}" for name, count in counts.items())
    disk.require_space(folder, sum(counts.values()) * math.prod(how.shape), REMEDY + waiting, what)


def write(folder: Path, split: carve.Split, how: Written) -> None:
    """Write a split to a new folder; its name is that of the split.

    Raises:
        errors.BadInput: the images are of several shapes, or one cannot be decoded.
    """
    new_label = np.full(max(how.ids) + 1, -1)
    new_label[how.ids] = np.arange(len(how.ids))
    labels = new_label[split.labels[split.positions]]
    is_as_published = isinstance(split.images, np.ndarray) and how.form.size is None
    manifest = arrays.Manifest(
        classes=how.classes,
        count=len(labels),
        form=None if is_as_published else how.form.described,
        image_shape=list(how.shape),
        listed=how.listed if folder.name == "train" else None,
    )
    paths = None if split.keys is None else split.names
    if manifest.listed:
        arrays.write(folder, manifest, None, labels, split.positions, paths)
        return
    images = sized.images(split, how.form, how.shape)
    with progress.bar(len(labels), f"writing {folder.name} arrays", "images") as bar:
        arrays.write(folder, manifest, progress.counted(images, bar), labels, split.positions, paths)
