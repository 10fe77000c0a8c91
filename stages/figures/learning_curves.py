"""Learning curves, and where training and validation cross."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

MEASURES = {  # column: title
    "loss": "Loss",
    "accuracy": "Accuracy",
    "above_half_precision": "Precision above half",
    "above_half_recall": "Recall above half",
}


def figure(history: pd.DataFrame) -> Figure:
    """Draw loss, accuracy and, if there are such columns, precision and recall by epoch.

    There is a curve of training and, if the history has it, one of validation. A dashed line marks where the
    two cross for the last time, with the epoch and the value there. A star marks the best validation; its
    value and epoch are in the title.

    Args:
        history: Columns epoch, loss, accuracy and perhaps others of MEASURES; each may also have a column
            with the prefix val_.
    """
    measures = [name for name in MEASURES if name in history]
    rows = -(-len(measures) // 2)
    drawn = Figure(figsize=(10, 4 * rows + 0.3), layout="constrained")
    panels = drawn.subplots(rows, 2, squeeze=False).flat
    for axes, measure in zip(panels, measures, strict=False):
        _draw_curves(axes, history, measure)
    for axes in drawn.axes[len(measures) :]:
        axes.set_axis_off()
    entries: dict[str, Any] = {}
    for axes in drawn.axes:
        entries |= {label: handle for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    drawn.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=len(entries))
    return drawn


def last_crossing(
    epochs: np.ndarray, training: np.ndarray, validation: np.ndarray
) -> tuple[float, float] | None:
    """Return the epoch and the value at which two curves, straight between epochs, cross for the last time.

    From the last crossing on, one curve stays on its side of the other. Mostly that is where a network
    begins to know the training images better than other images. Curves that meet and part again on the same
    sides do not cross.

    Args:
        epochs: n epochs, ascending.
        training: n values.
        validation: n values.

    Returns:
        The epoch and the value, or None if the curves do not cross.
    """
    gaps = training - validation
    apart = np.flatnonzero(gaps)  # if the curves touch, the next gap shows whether they cross
    changes = apart[:-1][np.sign(gaps[apart[:-1]]) != np.sign(gaps[apart[1:]])]
    if not len(changes):
        return None
    before = changes[-1]
    share = gaps[before] / (gaps[before] - gaps[before + 1])  # share of the way to the next epoch
    place = before + share
    points = np.arange(len(gaps))
    return float(np.interp(place, points, epochs)), float(np.interp(place, points, training))


def _draw_curves(axes: Axes, history: pd.DataFrame, measure: str) -> None:
    epochs, training, title = history["epoch"].to_numpy(), history[measure].to_numpy(), MEASURES[measure]
    axes.plot(epochs, training, marker=".", label="training")
    if f"val_{measure}" in history:
        validation = history[f"val_{measure}"].to_numpy()
        axes.plot(epochs, validation, marker=".", label="validation")
        best = validation.argmin() if measure == "loss" else _best(history, validation)
        axes.plot(epochs[best], validation[best], "*", color="black", markersize=10, label="best validation")
        title += f"\nbest validation: {validation[best]:.4g} at epoch {epochs[best]}"
        if crossing := last_crossing(epochs, training, validation):
            _draw_crossing(axes, *crossing)
    axes.set(title=title, xlabel="epoch", ylabel=MEASURES[measure].lower())
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(alpha=0.3)


def _best(history: pd.DataFrame, validation: np.ndarray) -> int:
    """Return the place of the highest value; of equal ones that with the lowest loss, as weights are kept."""
    return int(np.lexsort((history["val_loss"], -validation))[0])


def _draw_crossing(axes: Axes, epoch: float, value: float) -> None:
    """Draw a dashed line, with its numbers in the half of the panel where the curves are not."""
    axes.axvline(epoch, color="grey", linestyle="--", linewidth=1, label="the two cross (last time)")
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    on_left, above = epoch < (left + right) / 2, value < (bottom + top) / 2
    axes.annotate(
        f"epoch {epoch:.1f}\n{value:.4g}",
        (epoch, 0.97 if above else 0.03),
        xycoords=("data", "axes fraction"),
        xytext=(5 if on_left else -5, 0),
        textcoords="offset points",
        ha="left" if on_left else "right",
        va="top" if above else "bottom",
        fontsize=9,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1},
    )
