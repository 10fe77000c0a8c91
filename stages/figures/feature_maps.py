"""The picture of images on their way through a network, layer by layer."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stages.figures import canvas, mosaic

CELL = 1.4  # inches
STRIP = 32  # dense units side by side; more units continue in the next row
LIKELIEST = 5  # classes whose probabilities are drawn


def figure(
    images: np.ndarray,
    actual: Sequence[int],
    layers: Sequence[tuple[str, np.ndarray]],
    probabilities: np.ndarray,
    classes: Sequence[str],
    paths: np.ndarray | None = None,
) -> Figure:
    """Draw a row per image: the image, the output of each layer, and the likeliest classes.

    A channel has the same scale of colours in all rows, so that rows can be compared.

    Args:
        images: uint8 [n, H, W, C].
        actual: n labels.
        layers: A title and float values per layer: [n, h, w, c] is drawn as c maps, [n, units] as a strip,
            [n, rows, units] as rows.
        probabilities: float [n, K].
        classes: K names.
        paths: str [n], whose last part is drawn below each image; None for images without names.
    """
    columns = len(layers) + 2
    drawn = Figure(figsize=(CELL * (columns + 1), CELL * len(images) + 1.3), layout="constrained")
    drawn.suptitle("Test images on their way through the network\nbright: a high value", fontsize=11)
    ratios = [1] * (columns - 1) + [1.6]
    axes = drawn.subplots(len(images), columns, squeeze=False, width_ratios=ratios)
    beside, within = canvas.names(classes, 16), canvas.names(classes, 18)
    for row, (image, label) in enumerate(zip(images, actual, strict=True)):
        canvas.show(axes[row, 0], image)
        axes[row, 0].set_ylabel(beside[label], fontsize=9)
        if paths is not None:
            axes[row, 0].set_xlabel(canvas.file_name(paths[row]), fontsize=6)
        _draw_probabilities(axes[row, -1], probabilities[row], label, within)
    for column, (title, values) in enumerate(layers, start=1):
        axes[0, column].set_title("\n".join(map(canvas.plain, title.split("\n"))), fontsize=8)
        for row, picture in enumerate(_pictures(values)):
            maps = values.ndim == 4
            axes[row, column].imshow(picture, vmin=0, vmax=1, aspect="equal" if maps else "auto")
            axes[row, column].set(xticks=[], yticks=[])
            if maps:
                axes[row, column].set_axis_off()
    axes[0, 0].set_title("image", fontsize=8)
    axes[0, -1].set_title("probabilities", fontsize=8)
    return drawn


def _pictures(values: np.ndarray) -> list[np.ndarray]:
    """Return one [height, width] picture per image, with values from 0 to 1 and NaN for blanks."""
    if values.ndim == 4:
        columns = math.ceil(math.sqrt(values.shape[-1]))
        scaled = _scaled(values, axis=(0, 1, 2))
        return [mosaic.mosaic(np.moveaxis(each, -1, 0), columns) for each in scaled]
    scaled = _scaled(values, axis=None)
    return [_folded(each) if each.ndim == 1 else each for each in scaled]


def _scaled(values: np.ndarray, axis: tuple[int, ...] | None) -> np.ndarray:
    low, high = (edge(axis=axis, keepdims=True) for edge in (values.min, values.max))
    return (values - low) / np.where(high > low, high - low, 1)


def _folded(units: np.ndarray) -> np.ndarray:
    """Arrange values [n] in rows of at most `STRIP`; the last row is filled up with NaN."""
    width = min(len(units), STRIP)
    rows = -(-len(units) // width)
    return np.pad(units, (0, rows * width - len(units)), constant_values=np.nan).reshape(rows, width)


def _draw_probabilities(axes: Axes, shares: np.ndarray, actual: int, names: Sequence[str]) -> None:
    """Draw bars of the likeliest classes: the actual class in green, one that is mistaken for it in red."""
    order = np.argsort(-shares, kind="stable")[:LIKELIEST]
    for place, label in enumerate(order):
        colour = canvas.RIGHT if label == actual else canvas.WRONG if place == 0 else "grey"
        axes.barh(place, shares[label], color=colour, alpha=0.35)
        axes.text(0.03, place, f"{shares[label]:.0%} {names[label]}", va="center", fontsize=8)
    axes.set(xlim=(0, 1), ylim=(LIKELIEST - 0.5, -0.5), xticks=[], yticks=[])
