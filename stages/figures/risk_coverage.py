"""The risk-coverage curve: how wrong the answers are if only the surest images are answered."""

import numpy as np
from matplotlib.figure import Figure

from stages.reporting import selective

BLUE, GREY, ORANGE = "#0969da", "#8c959f", "#bc4c00"
FIRST = 10  # images; the error among fewer is a matter of luck


def figure(
    confidence: np.ndarray, right: np.ndarray, target: float | None = None, threshold: float | None = None
) -> Figure:
    """Draw the error among the answered images by the share that is answered.

    Args:
        confidence: float [N].
        right: bool [N].
        target: A wanted precision, drawn as a line of the error that it allows.
        threshold: The confidence that was picked for it, drawn as a point with its 95 % interval.
    """
    drawn = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = drawn.subplots()
    share, wrong = selective.curve(confidence, right)
    first = min(FIRST, len(share)) - 1
    axes.plot(share[first:], wrong[first:], color=BLUE, label="error among the answered")
    if target is not None:
        axes.axhline(1 - target, ls="--", color=GREY, label=f"allowed by a precision of {target:g}")
    if threshold is not None:
        found = selective.answered(confidence, right, threshold)
        if found.images:
            low, high = found.interval
            error = 1 - found.right / found.images
            reach = np.maximum([[error - (1 - high)], [1 - low - error]], 0)
            label = f"confidence of at least {threshold:.4g}, 95 % interval"
            axes.errorbar([found.share], [error], reach, fmt="o", color=ORANGE, capsize=3, label=label)
    axes.set(xlim=(0, 1.02), xlabel="share of the images that is answered", ylabel="share of wrong answers")
    axes.set_ylim(bottom=min(0, -0.02 * axes.get_ylim()[1]))
    axes.set_title(f"Answering only the surest of {len(right):,} test images")
    axes.grid(alpha=0.3)
    drawn.legend(loc="outside lower center", ncols=1)
    return drawn
