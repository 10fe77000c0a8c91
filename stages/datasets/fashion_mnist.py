"""Fashion-MNIST: 70,000 grey images of 28x28 pixels in ten classes (Xiao et al., arXiv:1708.07747).

It is published at https://github.com/zalandoresearch/fashion-mnist as four gzip files in the idx format.
A raw file is one of these files decompressed, since every mirror compresses them anew.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from stages.running import errors, paramfile

CLASSES = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
]
FILES = {  # name in data/raw: SHA-256 of the published file, decompressed
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
LARGEST = 16 + 60_000 * 28 * 28  # bytes: a header and the training images
_ORIGIN = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"
ORIGIN = [
    (
        f"{_ORIGIN}/train-images-idx3-ubyte.gz",
        26_421_880,
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    ),
    (
        f"{_ORIGIN}/train-labels-idx1-ubyte.gz",
        29_515,
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    ),
    (
        f"{_ORIGIN}/t10k-images-idx3-ubyte.gz",
        4_422_102,
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    ),
    (
        f"{_ORIGIN}/t10k-labels-idx1-ubyte.gz",
        5_148,
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    ),
]
MIRROR = ("debian", "dataset-fashion-mnist", 30_900_652)


class Options(paramfile.Section):
    """Options of the dataset fashion_mnist: it has none."""


def unpack(members: Iterable[tuple[str, Callable[[], bytes]]]) -> Iterator[tuple[str, bytes]]:
    """Yield (name, content) of the published files among an archive's members, see `archives.members`."""
    return ((name, read()) for name, read in members if name in FILES)


def read(folder: Path) -> tuple[list[str], dict[str, tuple[np.ndarray, np.ndarray]]]:
    """Read the raw files.

    Returns:
        The class names, and for "train" and "test" the images (uint8 [N, 28, 28, 1]) and labels
        (int64 [N]) in their published order.

    Raises:
        errors.BadInput: a file's header does not match its content.
    """
    splits = {}
    for split, prefix in (("train", "train"), ("test", "t10k")):
        images = _read_idx(folder / f"{prefix}-images-idx3-ubyte", dimensions=3)
        labels = _read_idx(folder / f"{prefix}-labels-idx1-ubyte", dimensions=1)
        splits[split] = images[..., np.newaxis], labels.astype(np.int64)
    return CLASSES, splits


def _read_idx(path: Path, dimensions: int) -> np.ndarray:
    """Read an idx file of bytes.

    Its content is 0, 0, 8 (uint8), the number of dimensions, each size as a big-endian int32, then the
    values in C order.
    """
    content, header = path.read_bytes(), 4 + 4 * dimensions
    shape = np.frombuffer(content[4:header].ljust(header - 4, b"\xff"), ">i4")
    values = np.frombuffer(content[header:], np.uint8)
    if content[:4] != bytes([0, 0, 8, dimensions]) or np.prod(shape) != len(values):
        raise errors.BadInput(
            f"{path}: expected an idx file of {dimensions} dimensions, received {len(content)} bytes"
            f" that begin with {content[:4].hex()}"
        )
    return values.reshape(shape)
