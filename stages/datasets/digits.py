"""Digits: 1,797 grey images of 8x8 pixels in ten classes, bundled with scikit-learn, so without download.

The dataset is the test part of https://archive.ics.uci.edu/dataset/80. The raw file is that of scikit-learn,
decompressed: per line 64 pixel values in 0..16 and the digit.
"""

import gzip
from collections.abc import Callable, Iterable, Iterator
from importlib import resources
from pathlib import Path

import numpy as np

from stages.running import paramfile

CLASSES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
FILES = {"digits.csv": "6ebb3d2fee246a4e99363262ddf8a00a3c41bee6014c373ed9d9216ba7f651b8"}  # SHA-256
LARGEST = 264_712  # bytes
TRAIN = 1437  # the first four fifths; images are in order of their writers, so few writers are in both parts


class Options(paramfile.Section):
    """Options of the dataset digits: it has none."""


def bundled() -> Iterator[tuple[str, bytes]]:
    """Yield the file that scikit-learn carries, as (name, content)."""
    compressed = resources.files("sklearn.datasets.data").joinpath("digits.csv.gz").read_bytes()
    yield "digits.csv", gzip.decompress(compressed)


def unpack(members: Iterable[tuple[str, Callable[[], bytes]]]) -> Iterator[tuple[str, bytes]]:
    """Yield (name, content) of the published file among an archive's members, see `archives.members`."""
    return ((name, read()) for name, read in members if name in FILES)


def read(folder: Path) -> tuple[list[str], dict[str, tuple[np.ndarray, np.ndarray]]]:
    """Read the raw file and scale its values from 0..16 to 0..255.

    Returns:
        The class names, and for "train" and "test" the images (uint8 [N, 8, 8, 1]) and labels
        (int64 [N]) in their published order.
    """
    rows = np.loadtxt(folder / "digits.csv", delimiter=",", dtype=np.int64, ndmin=2)
    images = np.round(rows[:, :64] * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8, 1)
    labels = rows[:, 64]
    return CLASSES, {
        "train": (images[:TRAIN], labels[:TRAIN]),
        "test": (images[TRAIN:], labels[TRAIN:]),
    }
