"""Check that EfficientNet-Lite0 says what is in two photographs, and says it as PyTorch does.

    python -m benchmarks imagenet

The photographs are those of scikit-learn, their middle resized to 224x224 pixels. The weights are fetched if
they are not in the cache. Without PyTorch the classes only are checked.
"""

import importlib.util
from collections.abc import Sequence

import numpy as np
from PIL import Image
from sklearn import datasets

from benchmarks import options, table
from stages.backbones import backbone, packaged
from stages.running import errors

SIZE = 224  # pixels of height and width, at which the network was trained
TOLERANCE = 1e-3  # of logits
EXPECTED = {  # ImageNet's classes with the largest logits, the largest first
    "china.jpg": {698: "palace", 442: "bell cote", 663: "monastery", 483: "castle", 975: "lakeside"},
    "flower.jpg": {985: "daisy", 947: "mushroom", 309: "bee", 996: "hen-of-the-woods", 738: "pot"},
}


def main(words: Sequence[str]) -> None:
    """Run the check."""
    options.parser("imagenet", __doc__).parse_args(words)
    row = packaged.BACKBONES["EfficientNetLite0"]
    pixels = np.stack([_middle(datasets.load_sample_image(name)) for name in EXPECTED])
    logits = _logits(row, pixels)
    require_classes(logits)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    rows = [
        [name, ", ".join(f"{label} {share[number]:.2f}" for number, label in classes.items())]
        for (name, classes), share in zip(EXPECTED.items(), shares, strict=True)
    ]
    print(table.render(["photograph", "classes and their probabilities"], rows))
    if not importlib.util.find_spec("torch"):
        print("\nPyTorch is not installed; the logits were not compared with it")
        return
    from benchmarks.pretrained import lite0_in_pytorch

    theirs = lite0_in_pytorch.logits(row.weights.fetch(), pixels)
    print(f"\nlargest difference from PyTorch's logits: {require_equal(logits, theirs):.1e}")


def require_classes(logits: np.ndarray) -> None:
    """Check the five classes with the largest logits [photograph, class].

    Raises:
        errors.BadInput: they are others than expected, or in another order.
    """
    for (name, classes), row in zip(EXPECTED.items(), logits, strict=True):
        received = np.argsort(-row)[: len(classes)].tolist()
        if received != list(classes):
            raise errors.BadInput(f"{name}: expected the classes {list(classes)}, received {received}")


def require_equal(logits: np.ndarray, theirs: np.ndarray) -> float:
    """Return the largest difference of two arrays of logits.

    Raises:
        errors.BadInput: it is larger than TOLERANCE.
    """
    difference = float(np.max(np.abs(logits - theirs)))
    if not difference <= TOLERANCE:
        raise errors.BadInput(
            f"expected PyTorch's logits within {TOLERANCE}, received others by {difference}"
        )
    return difference


def _middle(photograph: np.ndarray) -> np.ndarray:
    """Return the largest square in the middle of a photograph, resized, uint8 [SIZE, SIZE, 3]."""
    image = Image.fromarray(photograph)
    edge = min(image.size)
    left, top = (image.width - edge) // 2, (image.height - edge) // 2
    square = image.crop((left, top, left + edge, top + edge))
    return np.asarray(square.resize((SIZE, SIZE), Image.Resampling.BICUBIC))


def _logits(row: backbone.Backbone, pixels: np.ndarray) -> np.ndarray:
    model = row.create(include_top=True, weights=None, input_shape=(SIZE, SIZE, 3))
    row.weights.load(model, row.weights.fetch())
    return np.asarray(model(row.scale(pixels.astype(np.float32)), training=False))
