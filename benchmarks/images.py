"""Images made up for measurements, written as the subset stage writes real ones."""

from pathlib import Path

import numpy as np

from stages.running import outputs

CLASSES = ["airplane", "automobile", "bird"]
SHAPE = (32, 32, 3)


def write(folder: Path, count: int, other: int = len(CLASSES)) -> None:
    """Write `count` training images to `folder`, and `other` of each other split.

    They are noise, from which nothing can be learned, so that gradients stay as large as early in a
    training.
    """
    generator = np.random.default_rng(0)
    for split, size in {"train": count, "val": other, "test": other}.items():
        (folder / split).mkdir(parents=True)
        np.save(folder / split / "images.npy", generator.integers(0, 256, (size, *SHAPE), np.uint8))
        np.save(folder / split / "labels.npy", np.arange(size) % len(CLASSES))
        np.save(folder / split / "positions.npy", np.arange(size))
        manifest = {"classes": CLASSES, "image_shape": list(SHAPE), "count": size}
        outputs.write_json(folder / split / "manifest.json", manifest)
