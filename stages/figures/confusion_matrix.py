"""The picture of a confusion matrix."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from sklearn.metrics import ConfusionMatrixDisplay

from stages.figures import canvas

NUMBERED_CLASSES = 30  # up to which cells have numbers; a larger matrix shows colours and their scale
CROWDED_MATRIX = 14  # inches of a matrix without numbers
MARGIN = 0.12  # inches around a confusion matrix
NAMED_CLASSES = 110  # up to which all are named; of more, every second, third, ... class is named


def figure(counts: np.ndarray, classes: Sequence[str]) -> Figure:
    """Draw a confusion matrix twice, side by side: counts, and shares of the actual class (rows sum to 1).

    Up to 30 classes the cells have numbers; with more, there is a scale of colours instead. With more than
    110 classes, not every class is named.

    Args:
        counts: int [K, K]; row = actual class, column = predicted class.
        classes: K names.
    """
    numbered = len(classes) <= NUMBERED_CLASSES
    size = max(4.2, 1.6 + 0.52 * len(classes)) if numbered else CROWDED_MATRIX
    margins = ConstrainedLayoutEngine(w_pad=MARGIN, h_pad=MARGIN)
    drawn = Figure(figsize=(2 * size, size), layout=margins)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    named = range(0, len(classes), -(-len(classes) // NAMED_CLASSES))
    shown = canvas.names(classes, 24)[:: named.step]
    font = 10 if numbered else 6
    panels = [("Images", counts, "d"), ("Share of the actual class", shares, ".2f")]
    for axes, (title, matrix, numbers) in zip(drawn.subplots(1, 2), panels, strict=True):
        display = ConfusionMatrixDisplay(matrix)
        display.plot(ax=axes, cmap="Blues", values_format=numbers, colorbar=False, include_values=numbered)
        if not numbered:
            drawn.colorbar(display.im_, ax=axes, fraction=0.03)
        axes.set(title=title, xlabel="predicted", ylabel="actual")
        turn = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if numbered else {"rotation": 90}
        axes.set_xticks(named, shown, fontsize=font, **turn)
        axes.set_yticks(named, shown, fontsize=font)
    return drawn
