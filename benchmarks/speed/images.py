"""Images made up for measurements, written as the subset stage writes real ones."""

from pathlib import Path

import numpy as np

from stages.inputs import arrays

CLASSES = ["airplane", "automobile", "bird"]
SHAPE = (32, 32, 3)


def write(folder: Path, count: int, other: int = len(CLASSES)) -> None:
    """Write `count` training images to `folder`, and `other` of each other split.

    They are noise, from which nothing can be learned, so that gradients stay as large as early in a
    training.
    """
    generator = np.random.default_rng(0)
    for split, size in {"train": count, "val": other, "test": other}.items():
        images = generator.integers(0, 256, (size, *SHAPE), np.uint8)
        manifest = arrays.Manifest(classes=CLASSES, count=size, image_shape=list(SHAPE))
        folder.mkdir(parents=True, exist_ok=True)
        arrays.write(folder / split, manifest, images, np.arange(size) % len(CLASSES), np.arange(size))
