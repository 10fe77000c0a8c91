"""The reliability diagram: accuracy against confidence (DeGroot and Fienberg, The Statistician 32, 1983)."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from stages.reporting import calibration, wilson

COUNTED_BINS = 20  # with more bins, the numbers of images do not fit above their bars
BLUE, GREY = "#0969da", "#8c959f"


def figure(found: calibration.Bins, uncalibrated: calibration.Bins | None = None) -> Figure:
    """Draw each bin's accuracy, with its 95 % interval, at its mean confidence; below, its number of images.

    A perfectly calibrated model lies on the diagonal; below the diagonal, a model is overconfident.

    Args:
        found: The bins of the model.
        uncalibrated: The bins that it had before it was calibrated, drawn as hollow points.
    """
    drawn = Figure(figsize=(6.4, 7.2), layout="constrained")
    upper, lower = drawn.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    _draw_accuracy(upper, found)
    if uncalibrated is not None:
        _draw_uncalibrated(upper, uncalibrated)
    _draw_images(lower, found)
    drawn.legend(loc="outside lower center", ncols=2)
    return drawn


def _draw_accuracy(axes: Axes, found: calibration.Bins) -> None:
    filled = np.flatnonzero(found.images)
    images, right = found.images[filled], found.right[filled]
    accuracy = right / images
    lows, highs = np.transpose([wilson.interval(int(r), int(n)) for r, n in zip(right, images, strict=True)])
    # Rounding may put a bound that is 0 or 1 on the wrong side of the accuracy.
    reach = np.maximum([accuracy - lows, highs - accuracy], 0)
    width = 1 / len(found.images)
    axes.bar(filled * width, accuracy, width, align="edge", color=BLUE, alpha=0.2, edgecolor="white")
    axes.plot([0, 1], [0, 1], "--", color=GREY, label="perfect calibration")
    axes.errorbar(
        found.confidence[filled] / images,
        accuracy,
        reach,
        fmt="o",
        color=BLUE,
        capsize=3,
        label="a bin's accuracy, 95 % interval",
    )
    axes.set(xlim=(0, 1.02), ylim=(-0.03, 1.03), ylabel="accuracy")
    axes.set_title(
        f"Calibration on {found.images.sum():,} test images\n"
        f"expected calibration error {calibration.error(found):.4f}, bins: {len(found.images)}"
    )
    axes.grid(alpha=0.3)


def _draw_uncalibrated(axes: Axes, found: calibration.Bins) -> None:
    filled = np.flatnonzero(found.images)
    images = found.images[filled]
    label = f"before calibration, error {calibration.error(found):.4f}"
    axes.plot(
        found.confidence[filled] / images,
        found.right[filled] / images,
        "o",
        color=GREY,
        fillstyle="none",
        label=label,
    )


def _draw_images(axes: Axes, found: calibration.Bins) -> None:
    width = 1 / len(found.images)
    left = np.arange(len(found.images)) * width
    bars = axes.bar(left, found.images, width, align="edge", color=GREY, edgecolor="white")
    if len(found.images) <= COUNTED_BINS:
        axes.bar_label(bars, [f"{count:,}" if count else "" for count in found.images], fontsize=7)
    axes.set(xlabel="confidence: the probability of the predicted class", ylabel="images")
    axes.margins(y=0.18)  # room for the numbers
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True, min_n_ticks=1))
    axes.grid(alpha=0.3)
    axes.set_axisbelow(True)
