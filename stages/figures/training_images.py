"""The picture of training images, plain and augmented."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from stages.figures import canvas, mosaic


def figure(rows: Mapping[str, np.ndarray], labels: Sequence[int], classes: Sequence[str]) -> Figure:
    """A grid of the same n images, one row per way of showing them.

    Args:
        rows: A title and uint8 [n, H, W, C] per row.
        labels: The n images'.
        classes: K names.
    """
    shown = canvas.names(classes, 15)
    drawn = Figure(figsize=(1.25 * len(labels) + 0.8, 1.3 * len(rows) + 0.7), layout="constrained")
    augmented = ": plain, and as the augmented views have them" if len(rows) > 1 else ""
    drawn.suptitle(f"Training images{augmented}")
    # One picture: 50 of them, an axes each, took as long to draw as 100,000 images to augment.
    whole = mosaic.mosaic(np.concatenate(list(rows.values())), columns=len(labels), gap=255)
    axes = drawn.subplots()
    canvas.show(axes, whole)
    axes.set_xticks(_middles(whole.shape[1], len(labels)), [shown[label] for label in labels])
    axes.set_yticks(_middles(whole.shape[0], len(rows)), list(rows))
    axes.tick_params(length=0, labeltop=True, labelbottom=False)
    axes.set_frame_on(False)
    return drawn


def _middles(length: int, count: int) -> np.ndarray:
    """The middles of `count` equal parts of an axis."""
    return (np.arange(count) + 0.5) * length / count - 0.5
