"""The filters of a network's first layer, drawn as small images."""

from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from stages.figures import canvas, mosaic

MOST = 64  # filters shown
COLUMNS = 8


def figure(layer: str, filters: np.ndarray) -> Figure:
    """Draw a grid of the first 64 filters, each on its own scale around zero.

    Args:
        layer: The layer's name.
        filters: float [n, h, w, c]. Filters with three channels are drawn as colour images in which grey is
            zero. Of others the mean of the channels is drawn: red below zero and blue above, or, if no
            weight is negative, from black for zero to white.
    """
    shown = filters[:MOST]
    columns = min(COLUMNS, len(shown))
    rows = -(-len(shown) // columns)
    colour, signed = filters.shape[-1] == 3, bool((filters < 0).any())
    meaning = "grey is zero" if colour else "red below zero, blue above" if signed else "black is zero"
    number = f"{len(filters)}" if len(filters) <= MOST else f"The first {MOST} of {len(filters)}"
    size = " x ".join(map(str, filters.shape[1:]))
    drawn = Figure(figsize=(max(0.9 * columns, 5), 0.9 * rows + 0.7), layout="constrained")
    axes = drawn.subplots()
    axes.set_title(f"{number} filters of {canvas.plain(layer)}\n{size}; {meaning}", fontsize=10)
    axes.imshow(**_picture(shown, columns, signed))
    axes.set_axis_off()
    return drawn


def _picture(filters: np.ndarray, columns: int, signed: bool) -> dict[str, Any]:
    """Return the arguments of imshow."""
    if filters.shape[-1] == 3:
        whole = mosaic.mosaic(0.5 + 0.5 * _scaled(filters), columns)
        return {"X": np.nan_to_num(whole, nan=1.0)}
    planes = _scaled(filters.mean(axis=-1))
    colours = colormaps["RdBu" if signed else "gray"].with_extremes(bad="darkgrey")
    return {"X": mosaic.mosaic(planes, columns), "cmap": colours, "vmin": -1 if signed else 0, "vmax": 1}


def _scaled(filters: np.ndarray) -> np.ndarray:
    """Divide each filter by its largest absolute weight; a filter of zeros stays as it is."""
    largest = np.abs(filters).max(axis=tuple(range(1, filters.ndim)), keepdims=True)
    return filters / np.where(largest > 0, largest, 1)
