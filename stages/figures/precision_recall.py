"""Precision-recall curves: what each class's probability is worth at every threshold."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import precision_recall_curve

from stages.figures import canvas

NAMED = 10  # classes, at most, with a colour and a name; the others are grey lines
NAME = 24  # characters
COLOURS = (
    "#0969da",
    "#bc4c00",
    "#1a7f37",
    "#8250df",
    "#bf3989",
    "#9a6700",
    "#1b7c83",
    "#cf222e",
    "#57606a",
    "#0a3069",
)
GREY = "#8c959f"


def figure(
    actual: np.ndarray, probabilities: np.ndarray, average_precision: np.ndarray, classes: Sequence[str]
) -> Figure:
    """Draw each class's precision by its recall, the class against the rest, over all thresholds.

    The classes of the lowest average precision have a name. Classes without a value are left out.

    Args:
        actual: Labels, int [N], in 0..K-1.
        probabilities: float [N, K].
        average_precision: float [K], NaN of a class that has no images, or all of them.
        classes: K names.
    """
    known = np.flatnonzero(~np.isnan(average_precision))
    if not len(known):
        return canvas.note("No precision-recall curves: the test images are all of one class.")
    weakest_first = known[np.argsort(average_precision[known], kind="stable")]
    named, others = weakest_first[:NAMED], weakest_first[NAMED:]
    drawn = Figure(figsize=(6.4, 4.6 + 0.2 * -(-(len(named) + bool(len(others))) // 2)), layout="constrained")
    axes = drawn.subplots()
    for number, label in enumerate(others):
        name = f"the other {len(others):,}" if number == 0 else None
        _draw(axes, actual == label, probabilities[:, label], color=GREY, lw=0.6, alpha=0.6, label=name)
    shown = canvas.names(classes, NAME)
    for label, color in reversed(list(zip(named, COLOURS, strict=False))):
        name = f"{shown[label]}: {average_precision[label]:.4f}"
        _draw(axes, actual == label, probabilities[:, label], color=color, lw=1.6, label=name)
    axes.set(xlim=(0, 1.02), ylim=(0, 1.03), xlabel="recall: share of the class's images that is found")
    axes.set_ylabel("precision: share of what is taken for it that is right")
    lowest = f"named: the {NAMED} classes with the lowest average precision"
    which = lowest if len(others) else "beside the names: average precision"
    axes.set_title(f"Each class against the rest, on {len(actual):,} test images\n{which}")
    axes.grid(alpha=0.3)
    handles, labels = axes.get_legend_handles_labels()
    order = [*range(len(labels) - 1, -1, -1)]
    lines = [handles[place] for place in order], [labels[place] for place in order]
    drawn.legend(*lines, loc="outside lower center", ncols=2, fontsize="small")
    return drawn


def _draw(axes: Axes, is_own: np.ndarray, scores: np.ndarray, **style: object) -> None:
    precision, recall, _ = precision_recall_curve(is_own, scores, drop_intermediate=True)
    axes.plot(recall, precision, drawstyle="steps-post", **style)  # type: ignore[arg-type]
