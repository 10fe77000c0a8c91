"""Pictures of data, training and results: arrays in, matplotlib figures out."""

import itertools
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.text import Text
from sklearn.metrics import ConfusionMatrixDisplay

from stages.figures import fonts, mosaic
from stages.running import ellipsis

RIGHT, WRONG = "#1a7f37", "#cf222e"
NUMBERED_CLASSES = 30  # of a confusion matrix; a larger one shows colours and their scale
CROWDED_MATRIX = 14  # inches, of a larger one
MARGIN = 0.12  # inches around a confusion matrix
NAMED_CLASSES = 110  # of a still larger one every second, third, ... class is named


def save(figure: Figure, path: Path) -> None:
    """Write a PNG. Equal figures give equal bytes for one version of matplotlib.

    Characters that its own font lacks come from the fonts of this machine.
    """
    texts = figure.findobj(Text)
    others = fonts.others("".join(text.get_text() for text in texts))
    for text in texts if others else ():
        text.set_fontfamily([fonts.OWN, *sorted(set(others.values()))])
    figure.savefig(path, format="png", dpi=110, metadata={"Software": None})


def note(text: str) -> Figure:
    """A sentence, for a picture that has nothing else to show."""
    figure = Figure(figsize=(7, 1.5))
    figure.text(0.5, 0.5, plain(text), ha="center", va="center", wrap=True)
    return figure


def training_images(rows: Mapping[str, np.ndarray], labels: Sequence[int], classes: Sequence[str]) -> Figure:
    """A grid of the same n images, one row per way of showing them.

    Args:
        rows: A title and uint8 [n, H, W, C] per row.
        labels: The n images'.
        classes: K names.
    """
    shown = names(classes, 15)
    figure = Figure(figsize=(1.25 * len(labels) + 0.8, 1.3 * len(rows) + 0.7), layout="constrained")
    augmented = ": plain, and as the augmented views have them" if len(rows) > 1 else ""
    figure.suptitle(f"Training images{augmented}")
    # One picture: 50 of them, an axes each, took as long to draw as 100,000 images to augment.
    whole = mosaic.mosaic(np.concatenate(list(rows.values())), columns=len(labels), gap=255)
    axes = figure.subplots()
    show(axes, whole)
    axes.set_xticks(_middles(whole.shape[1], len(labels)), [shown[label] for label in labels])
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
    shown = names(classes, 24)[:: named.step]
    font = 10 if numbered else 6
    panels = [("Images", counts, "d"), ("Share of the actual class", shares, ".2f")]
    for axes, (title, matrix, numbers) in zip(figure.subplots(1, 2), panels, strict=True):
        display = ConfusionMatrixDisplay(matrix)
        display.plot(ax=axes, cmap="Blues", values_format=numbers, colorbar=False, include_values=numbered)
        if not numbered:
            figure.colorbar(display.im_, ax=axes, fraction=0.03)
        axes.set(title=title, xlabel="predicted", ylabel="actual")
        turn = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if numbered else {"rotation": 90}
        axes.set_xticks(named, shown, fontsize=font, **turn)
        axes.set_yticks(named, shown, fontsize=font)
    return figure


def predictions(
    images: np.ndarray,
    actual: Sequence[int],
    predicted: Sequence[int],
    probability: Sequence[float],
    classes: Sequence[str],
) -> Figure:
    """A grid of images with what the model says, green where right and red where wrong.

    Args:
        images: uint8 [n, H, W, C].
        actual: n labels.
        predicted: n labels.
        probability: n probabilities of the predicted class.
        classes: K names.
    """
    shorter, longer = names(classes, 16), names(classes, 18)
    rows = -(-len(images) // 6)
    columns = -(-len(images) // rows)
    figure = Figure(figsize=(1.75 * columns, 2.15 * rows + 0.5), layout="constrained")
    figure.suptitle("Test images: predicted class and its probability; red: wrong")
    axes = figure.subplots(rows, columns, squeeze=False).flat
    for axis, image, truth, guess, share in zip(axes, images, actual, predicted, probability, strict=False):
        show(axis, image)
        right = truth == guess
        said = f"{shorter[guess]}\n{share:.0%}" if right else f"{shorter[guess]} {share:.0%}"
        title = said if right else f"{said}\nis {longer[truth]}"
        axis.set_title(title, fontsize=9, color=RIGHT if right else WRONG)
    for axis in list(figure.axes)[len(images) :]:
        axis.set_axis_off()
    return figure


def names(classes: Sequence[str], length: int) -> list[str]:
    """The classes' names as a picture shows them, each of at most `length` characters.

    Where two would look alike, every one begins with its label.
    """
    known = fonts.drawable("".join(classes))
    shown = [ellipsis.cut(_spelt_out(name, known), length) for name in classes]
    if len({_look(text) for text in shown}) < len(shown):
        numbered = (f"{label}: {text}" for label, text in enumerate(shown))
        shown = [ellipsis.cut(text, length) for text in numbered]
    return list(map(_without_formulas, shown))


def plain(text: str) -> str:
    """Text that matplotlib draws as it stands, dollar signs and all."""
    return _without_formulas(_spelt_out(text, fonts.drawable(text)))


def _spelt_out(text: str, known: set[str]) -> str:
    """Text in which runs of characters that no font has are code points, such as U+732B U+72AC."""
    runs = itertools.groupby(text, key=known.__contains__)
    return " ".join("".join(run) if drawn else " ".join(map(_code_point, run)) for drawn, run in runs)


def _code_point(character: str) -> str:
    return f"U+{ord(character):04X}"


def _look(text: str) -> str:
    """Equal for texts that differ in blanks or in how accents are encoded."""
    return " ".join(unicodedata.normalize("NFKC", text).split())


def _without_formulas(text: str) -> str:
    return text.replace("$", r"\$")


def show(axes: Axes, image: np.ndarray) -> None:
    """Draw one uint8 [H, W, C] image, grey if it has one channel, without ticks."""
    grey: dict[str, Any] = {"cmap": "gray", "vmin": 0, "vmax": 255} if image.shape[-1] == 1 else {}
    axes.imshow(image.squeeze(-1) if grey else image, **grey)
    axes.set(xticks=[], yticks=[])
