"""The picture of training images, without and with augmentation."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from stages.figures import canvas, mosaic


def figure(rows: Mapping[str, np.ndarray], labels: Sequence[int], classes: Sequence[str]) -> Figure:
    """Draw a grid of the same n images, with one row for each of their versions.

    Args:
        rows: A title and uint8 [n, H, W, C] per row.
        labels: The labels of the n images.
        classes: K names.
    """
    shown = canvas.names(classes, 15)
    drawn = Figure(figsize=(1.25 * len(labels) + 0.8, 1.3 * len(rows) + 0.7), layout="constrained")
    augmented = ": plain, and as the augmented views have them" if len(rows) > 1 else ""
    drawn.suptitle(f"Training images{augmented}")
    # All images are one picture: to draw 50 pictures, each with its own axes, took as long as to augment
    # 100,000 images.
    whole = mosaic.mosaic(np.concatenate(list(rows.values())), columns=len(labels), gap=255)
    axes = drawn.subplots()
    canvas.show(axes, whole)
    axes.set_xticks(_middles(whole.shape[1], len(labels)), [shown[label] for label in labels])
    axes.set_yticks(_middles(whole.shape[0], len(rows)), list(rows))
    axes.tick_params(length=0, labeltop=True, labelbottom=False)
    axes.set_frame_on(False)
    return drawn


def _middles(length: int, count: int) -> np.ndarray:
    """Return the middles of `count` equal parts of an axis."""
    return (np.arange(count) + 0.5) * length / count - 0.5
