"""Pictures of data, training and results: arrays in, matplotlib figures out."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from sklearn.metrics import ConfusionMatrixDisplay

RIGHT, WRONG = "#1a7f37", "#cf222e"


def save(figure: Figure, path: Path) -> None:
    """Write a PNG. Equal figures give equal bytes for one version of matplotlib."""
    figure.savefig(path, format="png", dpi=110, metadata={"Software": None})


def training_images(rows: Mapping[str, np.ndarray], names: Sequence[str]) -> Figure:
    """A grid of the same n images, one row per way of showing them.

    Args:
        rows: A label and uint8 [n, H, W, C] per row.
        names: The n images' class names.
    """
    figure = Figure(figsize=(1.25 * len(names) + 0.8, 1.3 * len(rows) + 0.7), layout="constrained")
    figure.suptitle("Training images: plain, and as the augmented views have them")
    axes = figure.subplots(len(rows), len(names), squeeze=False)
    for row, (label, images) in enumerate(rows.items()):
        for column, image in enumerate(images):
            _show(axes[row, column], image)
            if row == 0:
                axes[row, column].set_title(_plain(names[column]), fontsize=9)
        axes[row, 0].set_ylabel(label)
    return figure


def confusion_matrix(counts: np.ndarray, classes: Sequence[str]) -> Figure:
    """Counts, and the share of each actual class (rows sum to 1), side by side.

    Args:
        counts: int [K, K]; row = actual class, column = predicted class.
        classes: K names.
    """
    size = min(max(4.2, 1.6 + 0.52 * len(classes)), 20)
    figure = Figure(figsize=(2 * size, size), layout="constrained")
    names = [_plain(name) for name in classes]
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    panels = [("Images", counts, "d"), ("Share of the actual class", shares, ".2f")]
    for axes, (title, matrix, numbers) in zip(figure.subplots(1, 2), panels, strict=True):
        display = ConfusionMatrixDisplay(matrix, display_labels=names)
        display.plot(
            ax=axes, cmap="Blues", values_format=numbers, colorbar=False, include_values=len(classes) <= 30
        )
        axes.set(title=title, xlabel="predicted", ylabel="actual")
        axes.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor")
    return figure


def learning_curves(history: pd.DataFrame) -> Figure:
    """Loss and accuracy by epoch, for training and, where there is one, validation.

    Args:
        history: Columns epoch, loss, accuracy and, perhaps, val_loss, val_accuracy.
    """
    figure = Figure(figsize=(10, 4), layout="constrained")
    for axes, measure in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for column, label in ((measure, "training"), (f"val_{measure}", "validation")):
            if column in history:
                axes.plot(history["epoch"], history[column], marker=".", label=label)
        axes.set(title=measure.capitalize(), xlabel="epoch", ylabel=measure)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend()
    return figure


def predictions(
    images: np.ndarray, actual: Sequence[str], predicted: Sequence[str], probability: Sequence[float]
) -> Figure:
    """A grid of images with what the model says, green where right and red where wrong.

    Args:
        images: uint8 [n, H, W, C].
        actual: n class names.
        predicted: n class names.
        probability: n probabilities of the predicted class.
    """
    columns = min(6, len(images))
    rows = -(-len(images) // columns)
    figure = Figure(figsize=(1.75 * columns, 2.15 * rows + 0.5), layout="constrained")
    figure.suptitle("Test images: predicted class and its probability; red: wrong")
    axes = figure.subplots(rows, columns, squeeze=False).flat
    for axis, image, truth, guess, share in zip(axes, images, actual, predicted, probability, strict=False):
        _show(axis, image)
        right = truth == guess
        title = f"{guess}\n{share:.0%}" if right else f"{guess} {share:.0%}\nis {truth}"
        axis.set_title(_plain(title), fontsize=9, color=RIGHT if right else WRONG)
    for axis in list(figure.axes)[len(images) :]:
        axis.set_axis_off()
    return figure


def _plain(text: str) -> str:
    """Text that matplotlib draws as it stands, dollar signs and all."""
    return text.replace("$", r"\$")


def _show(axes: Axes, image: np.ndarray) -> None:
    """Draw one uint8 [H, W, C] image, grey if it has one channel, without ticks."""
    grey: dict[str, Any] = {"cmap": "gray", "vmin": 0, "vmax": 255} if image.shape[-1] == 1 else {}
    axes.imshow(image.squeeze(-1) if grey else image, **grey)
    axes.set(xticks=[], yticks=[])
