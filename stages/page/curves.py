"""Learning curves as the parts of an SVG: paths and ticks, whose colours the page's style gives.

Two charts of a few lines need no plotting library in the page. Matplotlib chooses the ticks; its own SVG has
its colours inline, which a page that forbids styles from outside cannot show, in light or in dark.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

WIDTH, HEIGHT = 480, 300
LEFT, RIGHT, TOP, BOTTOM = 66, 14, 14, 46  # margins
MOST_POINTS = 60  # of a line, with a mark at each
MOST_DECIMALS = 5  # of a tick
MOST_ROWS = 200  # epochs in the table
STYLES = {"head": "", "base": " before"}  # CSS classes of the two revisions


class Tick(NamedTuple):
    """A tick of an axis."""

    place: float
    text: str


class Point(NamedTuple):
    """A point of a line, and what it says."""

    x: float
    y: float
    text: str


class Line(NamedTuple):
    """A line of a chart."""

    name: str
    style: str  # CSS classes
    path: str  # the data of an SVG path
    points: list[Point]  # to be marked; none of a long line


class Chart(NamedTuple):
    """A chart of WIDTH x HEIGHT."""

    measure: str
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    lines: list[Line]


def chart(measure: str, histories: Mapping[str, tuple[str, pd.DataFrame]]) -> Chart | None:
    """Draw a measure by epoch, in training and in validation; None if no epoch has it.

    Args:
        measure: A column of the histories; `val_` and its name is that of validation.
        histories: For `head` and, if there is one, `base`, what its lines' names end in, and its history as
            `results.read` gives it.
    """
    found = {
        (f"{word}{ending}", f"{word}{STYLES[side]}"): history[["epoch", column]].dropna().to_numpy()
        for side, (ending, history) in histories.items()
        for word, column in (("training", measure), ("validation", f"val_{measure}"))
        if column in history
    }
    lines = {key: values[np.isfinite(values).all(axis=1)] for key, values in found.items()}
    lines = {key: values for key, values in lines.items() if len(values)}
    if not lines:
        return None
    every = np.concatenate(list(lines.values()))
    x_ticks, y_ticks = (MaxNLocator(6, integer=each == 0) for each in (0, 1))
    x_range = _range(every[:, 0], 0.5)
    y_values = y_ticks.tick_values(*_range(every[:, 1], 0.05))
    x = np.array([LEFT, WIDTH - RIGHT]), np.array(x_range)
    y = np.array([HEIGHT - BOTTOM, TOP]), np.array([y_values[0], y_values[-1]])
    return Chart(
        measure,
        [
            Tick(_at(tick, x), f"{tick:g}")
            for tick in x_ticks.tick_values(*x_range)
            if x_range[0] <= tick <= x_range[1]
        ],
        [Tick(_at(tick, y), text) for tick, text in zip(y_values, _texts(y_values), strict=True)],
        [_line(name, style, values, x, y) for (name, style), values in lines.items()],
    )


def table(history: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Return the columns and the rows of a history as text; of a long one, rows that are spread evenly."""
    kept = np.unique(np.linspace(0, len(history) - 1, min(MOST_ROWS, len(history))).astype(int))
    rows = history.iloc[kept].to_numpy().tolist()
    names = [str(name).replace("_", " ") for name in history]
    return names, [["" if np.isnan(value) else f"{value:g}" for value in row] for row in rows]


def _range(values: np.ndarray, least: float) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    return (low, high) if high > low else (low - least, high + least)


def _texts(ticks: Sequence[float]) -> list[str]:
    """Write ticks with equally many decimals."""
    decimals = max(len(f"{tick:.6g}".partition(".")[2]) for tick in ticks)
    return [f"{tick:.{decimals}f}" if decimals < MOST_DECIMALS else f"{tick:.3g}" for tick in ticks]


def _at(value: float, axis: tuple[np.ndarray, np.ndarray]) -> float:
    (first, last), (low, high) = axis
    return round(float(first + (value - low) / (high - low) * (last - first)), 1)


def _line(
    name: str,
    style: str,
    values: np.ndarray,
    x: tuple[np.ndarray, np.ndarray],
    y: tuple[np.ndarray, np.ndarray],
) -> Line:
    points = [
        Point(_at(epoch, x), _at(value, y), f"epoch {epoch:g}, {name}: {value:g}")
        for epoch, value in values.tolist()
    ]
    path = "M" + "L".join(f"{point.x:g} {point.y:g}" for point in points)
    return Line(name, style, path, points if len(points) <= MOST_POINTS else [])
