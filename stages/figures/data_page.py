"""The page about the data: how many images there are, how large, and the odd ones among them."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from stages.figures import canvas

COLOURS = {"train": "#1f77b4", "val": "#ff7f0e", "test": "#2ca02c"}
SIDE = 96  # pixels of a picture
LINE = 10  # pixels of height for a line of a name
LEAST_LINES = 2  # for which there is room
INCHES = 1.45 / (SIDE + 26)  # of height of the page per pixel of a row of pictures
TITLE = 12  # characters of a row's title; as many of the widest fit beside it
TICKS = 4  # of the sizes
ROOM = 1.25  # for the legend, times the longest bar
CLASSES = 40  # bars; of more classes, the smallest are drawn


def figure(
    counts: Mapping[str, Mapping[str, int]],
    sizes: tuple[np.ndarray, np.ndarray] | None,
    rows: Mapping[str, Sequence[tuple[np.ndarray, str]]],
) -> Figure:
    """Draw the counts by class and split, the sizes, and rows of pictures with their names.

    Args:
        counts: Images by split and class.
        sizes: Widths and heights in pixels, int [N] each, or None.
        rows: By title, pictures (uint8 [SIDE, SIDE, 3]) and their names; an empty name is not drawn.
    """
    classes = sorted(counts["train"], key=lambda name: sum(part[name] for part in counts.values()))[:CLASSES]
    named = {
        title: [(image, canvas.file_in_folder(name)) for image, name in pictures]
        for title, pictures in rows.items()
    }
    lines = max((shown.count("\n") + 1 for pictures in named.values() for _, shown in pictures), default=0)
    step = SIDE + 6 + LINE * max(LEAST_LINES, lines)  # pixels from one row to the next one
    above, below = max(2.6, 0.28 * len(classes) + 1.2), INCHES * step * len(rows)
    drawn = Figure(figsize=(10, above + below), layout="constrained")
    heights = [above, below] if rows else [above]
    # Figures in the figure: long names of classes must not make the pictures narrow.
    parts = drawn.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    charts = parts[0].subplots(1, 1 if sizes is None else 2, squeeze=False)[0]
    _draw_counts(charts[0], counts, classes)
    if sizes is not None:
        _draw_sizes(charts[1], *sizes)
    if rows:
        _draw_rows(parts[1].subplots(), named, step)
    return drawn


def _draw_counts(axes: Axes, counts: Mapping[str, Mapping[str, int]], classes: Sequence[str]) -> None:
    lefts = np.zeros(len(classes))
    for split, of_class in counts.items():
        values = np.array([of_class[name] for name in classes])
        axes.barh(range(len(classes)), values, left=lefts, color=COLOURS[split], label=split)
        lefts += values
    left_out = len(counts["train"]) - len(classes)
    axes.set_title("Images by class" + (f", without the {left_out} largest" if left_out else ""))
    axes.set_yticks(range(len(classes)), canvas.names(classes, 24), fontsize=8)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.set_xlim(0, max(lefts.max(), 1) * ROOM)
    axes.legend(loc="lower right", fontsize=8)


def _draw_sizes(axes: Axes, widths: np.ndarray, heights: np.ndarray) -> None:
    axes.scatter(widths, heights, s=8, alpha=0.3, color=COLOURS["train"], linewidths=0)
    axes.set(title="Size of the pictures, in pixels", xlabel="width", ylabel="height")
    axes.set(xscale="log", yscale="log")
    for axis, values in ((axes.xaxis, widths), (axes.yaxis, heights)):
        _scale(axis, int(values.min()), int(values.max()))
    axes.grid(alpha=0.3)


def _scale(axis: Axis, least: int, most: int) -> None:
    """Let an axis reach a little beyond all values, and write the least, the greatest and some between."""
    margin = (most / least) ** 0.1 if most > least else 2
    axis.set_view_interval(least / margin, most * margin, ignore=True)
    ticks = np.unique(np.geomspace(least, most, TICKS).round())
    axis.set_ticks(ticks, [f"{tick:,.0f}" for tick in ticks])
    axis.set_minor_locator(NullLocator())


def _draw_rows(axes: Axes, rows: Mapping[str, Sequence[tuple[np.ndarray, str]]], step: int) -> None:
    """Draw all pictures as one: axes for each of them would take seconds."""
    columns = max(map(len, rows.values()))
    whole = np.full((step * len(rows), step * columns, 3), 255, np.uint8)
    for line, pictures in enumerate(rows.values()):
        for column, (image, shown) in enumerate(pictures):
            top, left = step * line, step * column + (step - SIDE) // 2
            whole[top : top + SIDE, left : left + SIDE] = image
            axes.text(left + SIDE / 2, top + SIDE + 2, shown, fontsize=6, ha="center", va="top")
    canvas.show(axes, whole)
    titles = canvas.names(list(rows), TITLE)
    middles = [step * line + SIDE / 2 for line in range(len(rows))]
    axes.set_yticks(middles, titles, rotation=90, va="center", fontsize=7)
    axes.tick_params(length=0)
    axes.set_frame_on(False)
