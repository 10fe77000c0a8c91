"""Pictures of data, training and results: arrays in, matplotlib figures out."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from sklearn.metrics import ConfusionMatrixDisplay

from stages.reporting import mosaic

RIGHT, WRONG = "#1a7f37", "#cf222e"
NUMBERED_CLASSES = 30  # of a confusion matrix; a larger one shows colours and their scale
CROWDED_MATRIX = 14  # inches, of a larger one
MARGIN = 0.12  # inches around a confusion matrix
NAMED_CLASSES = 110  # of a still larger one every second, third, ... class is named


def save(figure: Figure, path: Path) -> None:
    """Write a PNG. Equal figures give equal bytes for one version of matplotlib."""
    figure.savefig(path, format="png", dpi=110, metadata={"Software": None})


def note(text: str) -> Figure:
    """A sentence, for a picture that has nothing else to show."""
    figure = Figure(figsize=(7, 1.5))
    figure.text(0.5, 0.5, plain(text), ha="center", va="center", wrap=True)
    return figure


def training_images(rows: Mapping[str, np.ndarray], names: Sequence[str]) -> Figure:
    """A grid of the same n images, one row per way of showing them.

    Args:
        rows: A label and uint8 [n, H, W, C] per row.
        names: The n images' class names.
    """
    figure = Figure(figsize=(1.25 * len(names) + 0.8, 1.3 * len(rows) + 0.7), layout="constrained")
    augmented = ": plain, and as the augmented views have them" if len(rows) > 1 else ""
    figure.suptitle(f"Training images{augmented}")
    # One picture: 50 of them, an axes each, took as long to draw as 100,000 images to augment.
    whole = mosaic.mosaic(np.concatenate(list(rows.values())), columns=len(names), gap=255)
    axes = figure.subplots()
    show(axes, whole)
    axes.set_xticks(_middles(whole.shape[1], len(names)), [plain(brief(name, 15)) for name in names])
    axes.set_yticks(_middles(whole.shape[0], len(rows)), list(rows))
    axes.tick_params(length=0, labeltop=True, labelbottom=False)
    axes.set_frame_on(False)
    return figure


def _middles(length: int, count: int) -> np.ndarray:
    """The middles of `count` equal parts of an axis."""
    return (np.arange(count) + 0.5) * length / count - 0.5


def confusion_matrix(counts: np.ndarray, classes: Sequence[str]) -> Figure:
    """Counts, and the share of each actual class (rows sum to 1), side by side.

    Numbers up to 30 classes, a scale of colours beyond; beyond 110 classes not every one is named.

    Args:
        counts: int [K, K]; row = actual class, column = predicted class.
        classes: K names.
    """
    numbered = len(classes) <= NUMBERED_CLASSES
    size = max(4.2, 1.6 + 0.52 * len(classes)) if numbered else CROWDED_MATRIX
    margins = ConstrainedLayoutEngine(w_pad=MARGIN, h_pad=MARGIN)
    figure = Figure(figsize=(2 * size, size), layout=margins)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    named = range(0, len(classes), -(-len(classes) // NAMED_CLASSES))
    names = [plain(brief(classes[label], 24)) for label in named]
    font = 10 if numbered else 6
    panels = [("Images", counts, "d"), ("Share of the actual class", shares, ".2f")]
    for axes, (title, matrix, numbers) in zip(figure.subplots(1, 2), panels, strict=True):
        display = ConfusionMatrixDisplay(matrix)
        display.plot(ax=axes, cmap="Blues", values_format=numbers, colorbar=False, include_values=numbered)
        if not numbered:
            figure.colorbar(display.im_, ax=axes, fraction=0.03)
        axes.set(title=title, xlabel="predicted", ylabel="actual")
        turn = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if numbered else {"rotation": 90}
        axes.set_xticks(named, names, fontsize=font, **turn)
        axes.set_yticks(named, names, fontsize=font)
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
    rows = -(-len(images) // 6)
    columns = -(-len(images) // rows)
    figure = Figure(figsize=(1.75 * columns, 2.15 * rows + 0.5), layout="constrained")
    figure.suptitle("Test images: predicted class and its probability; red: wrong")
    axes = figure.subplots(rows, columns, squeeze=False).flat
    for axis, image, truth, guess, share in zip(axes, images, actual, predicted, probability, strict=False):
        show(axis, image)
        right = truth == guess
        guess, truth = brief(guess, 16), brief(truth, 18)
        title = f"{guess}\n{share:.0%}" if right else f"{guess} {share:.0%}\nis {truth}"
        axis.set_title(plain(title), fontsize=9, color=RIGHT if right else WRONG)
    for axis in list(figure.axes)[len(images) :]:
        axis.set_axis_off()
    return figure


def brief(name: str, length: int) -> str:
    """A name that is longer than `length`, with its middle left out."""
    if len(name) <= length:
        return name
    return name[: length // 2] + "…" + name[-((length - 1) // 2) :]


def plain(text: str) -> str:
    """Text that matplotlib draws as it stands, dollar signs and all."""
    return text.replace("$", r"\$")


def show(axes: Axes, image: np.ndarray) -> None:
    """Draw one uint8 [H, W, C] image, grey if it has one channel, without ticks."""
    grey: dict[str, Any] = {"cmap": "gray", "vmin": 0, "vmax": 255} if image.shape[-1] == 1 else {}
    axes.imshow(image.squeeze(-1) if grey else image, **grey)
    axes.set(xticks=[], yticks=[])
