"""Images made up for measurements, written as the subset stage writes real ones."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stages.inputs import arrays

CLASSES = ["airplane", "automobile", "bird"]
SHAPE = (32, 32, 3)


def write(folder: Path, count: int, other: int = len(CLASSES), shape: Sequence[int] = SHAPE) -> None:
    """Write `count` training images to `folder`, and `other` of each other split.

    They are noise, from which nothing can be learned, so that gradients stay as large as early in a
    training.
    """
    generator = np.random.default_rng(0)
    for split, size in {"train": count, "val": other, "test": other}.items():
        images = generator.integers(0, 256, (size, *shape), np.uint8)
        manifest = arrays.Manifest(classes=CLASSES, count=size, image_shape=list(shape))
        folder.mkdir(parents=True, exist_ok=True)
        arrays.write(folder / split, manifest, images, np.arange(size) % len(CLASSES), np.arange(size))
