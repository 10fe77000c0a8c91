"""Learning curves and confusion matrices of two revisions in one picture."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from sklearn import metrics

from stages.figures import canvas, confusion_matrix
from stages.review import results

MOST_CLASSES = 1_000  # of a matrix that is drawn
NAME_LENGTH = 24  # characters of a class's name


def draw(revisions: Mapping[str, results.Results]) -> Figure:
    """Draw one column per revision: loss and accuracy by epoch, on equal axes, and the confusion matrix.

    Args:
        revisions: The results of each revision, by the title of its column.
    """
    names = {
        each: found.classes if found.predictions is not None else [] for each, found in revisions.items()
    }
    size = min(max(5.6, 1.6 + 0.52 * max(map(len, names.values()))), 20)
    figure = Figure(figsize=(size * len(revisions), size + 6), layout="constrained")
    grid = figure.subplots(3, len(revisions), squeeze=False, height_ratios=[3, 3, size])
    for row, measure in enumerate(("loss", "accuracy")):
        for axes, (title, found) in zip(grid[row], revisions.items(), strict=True):
            if axes is not (first := grid[row, 0]):
                axes.sharex(first)  # before there are curves: later, the first panel's limits would stay
                axes.sharey(first)
            _curves(axes, measure, found.history)
            if row == 0:
                axes.set_title(title, parse_math=False)
    for axes, (title, found) in zip(grid[2], revisions.items(), strict=True):
        _confusion(axes, found.predictions, names[title])
    return figure


def _curves(axes: Axes, measure: str, history: pd.DataFrame | None) -> None:
    axes.set(xlabel="epoch", ylabel=measure)
    axes.grid(alpha=0.3)
    if history is None:
        axes.annotate("no history", (0.5, 0.5), xycoords="axes fraction", ha="center")
        return
    for column, label in ((measure, "training"), (f"val_{measure}", "validation")):
        if column in history and history[column].notna().any():
            axes.plot(history["epoch"], history[column], marker=".", label=label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()


def _confusion(axes: Axes, predictions: pd.DataFrame | None, names: Sequence[str]) -> None:
    """Draw a confusion matrix: colours are shares of the actual class, numbers are numbers of images."""
    if predictions is None:
        axes.annotate("no predictions", (0.5, 0.5), xycoords="axes fraction", ha="center")
        return
    if len(names) > MOST_CLASSES:
        axes.annotate(f"{len(names):,} classes", (0.5, 0.5), xycoords="axes fraction", ha="center")
        return
    counts = metrics.confusion_matrix(predictions["actual"], predictions["predicted"], labels=names)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    display = metrics.ConfusionMatrixDisplay(shares)
    display.plot(
        ax=axes, cmap="Blues", colorbar=False, include_values=len(names) <= confusion_matrix.NUMBERED_CLASSES
    )
    if display.text_ is not None:
        for text, count in zip(display.text_.flat, counts.flat, strict=True):
            text.set_text(str(count))
    axes.set(xlabel="predicted", ylabel="actual")
    shown = canvas.names(names, NAME_LENGTH)
    axes.set_xticks(range(len(names)), shown, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(names)), shown)
