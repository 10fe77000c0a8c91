"""Draw test accuracy against training time: python -m benchmarks picture"""

import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, LogLocator

from benchmarks import runs
from benchmarks.speed import learning
from benchmarks.suites import accuracy, tutorials
from stages.figures import canvas
from stages.running import errors, outputs

PICTURE = Path("reports/benchmarks/accuracy.png")
# Okabe and Ito's colours, which colour-blind readers can tell apart, and a marker of its own for each.
STYLES = {
    accuracy.THREE: ("#0072B2", "o"),
    accuracy.TEN: ("#D55E00", "s"),
    accuracy.FASHION: ("#009E73", "^"),
}


class Point(NamedTuple):
    """A system: its accuracies and seconds of training by seed."""

    label: str
    problem: str
    accuracies: Sequence[float]
    seconds: Sequence[float]
    align: str = "center"  # of the label, to the point
    below: int = 9  # points from the marker's middle to the label's top

    @property
    def place(self) -> tuple[float, float]:
        """Mean seconds and mean accuracy."""
        return statistics.fmean(self.seconds), statistics.fmean(self.accuracies)


PUBLISHED = [Point("A as published,\non its author's CPU", accuracy.THREE, [0.883], [10 * 134])]
AS_TRAINED = {  # the first three are neighbours
    "cifar10-three-classes": ("A, run here", accuracy.THREE, "center", 24),
    "fashion-mnist-dense": ("B dense, run here", accuracy.FASHION, "right", 9),
    "fashion-mnist": ("B convolutional, run here", accuracy.FASHION, "left", 9),
    "cifar10": ("C, run here", accuracy.TEN, "center", 9),
}


def main() -> None:
    """The command; draws what there is."""
    try:
        outcomes, raced = accuracy.read(accuracy.RESULTS), runs.read(accuracy.RESULTS)
        measured = [run for run in runs.read(tutorials.RESULTS) if run.config in AS_TRAINED]
        others = peers(learning.read(learning.RESULTS))
    except errors.BadInput as error:
        sys.exit(f"picture: error: {error}")
    if not outcomes and not measured:
        sys.exit(
            f"picture: error: expected {accuracy.RESULTS} or {tutorials.RESULTS}, found"
            " neither; run benchmarks.accuracy or benchmarks.tutorials"
        )
    with outputs.file(PICTURE) as partial:
        drawn = figure(
            ours(outcomes), [*reproduced(measured), *others, *PUBLISHED], machines([*raced, *measured])
        )
        canvas.save(drawn, partial)


def ours(outcomes: Sequence[accuracy.Outcome]) -> list[Point]:
    """A point for each target."""
    return [Point("", outcome.target.problem, outcome.accuracies, outcome.seconds) for outcome in outcomes]


def reproduced(measured: Sequence[runs.Run]) -> list[Point]:
    """A point for each tutorial's own system that has been run here."""
    points = []
    for config, (label, problem, align, below) in AS_TRAINED.items():
        if found := runs.select(measured, config):
            accuracies, seconds = zip(*((run.accuracy, run.training_seconds) for run in found), strict=True)
            points.append(Point(label, problem, accuracies, seconds, align, below))
    return points


def peers(report: dict[str, Any]) -> list[Point]:
    """A point for each other way to train A's network that has been measured."""
    return [
        Point("", accuracy.THREE, [row["accuracy"]], [sum(row["seconds"])])
        for name, row in report.get("peers", {}).items()
        if name != "ours"
    ]


def machines(measured: Sequence[runs.Run]) -> str:
    """What the runs ran on, each machine once."""
    places = sorted({run.machine for run in measured})
    return " and ".join(f"{place.processor}, {place.cores} CPU cores" for place in places)


def figure(ours: Sequence[Point], theirs: Sequence[Point], where: str) -> Figure:
    """Ours filled and joined by problem, theirs hollow; bars of one standard deviation."""
    drawn = Figure(figsize=(9, 5.5), layout=ConstrainedLayoutEngine(h_pad=0.1))
    axes = drawn.subplots()
    axes.set_xscale("log")
    for problem in STYLES:
        _draw_problem(axes, problem, sorted((each for each in ours if each.problem == problem), key=_seconds))
    for point in theirs:
        _draw(axes, point, hollow=True)
        _label(axes, point)
    axes.set(
        title="Test accuracy by seconds of training, compilation included\n"
        "filled: this pipeline; hollow: the tutorials' systems, A, B and C;\n"
        f"hollow without a name: A's network in Keras and PyTorch\n{where}",
        xlabel="seconds of training",
        ylabel="test accuracy",
    )
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: f"{seconds:g}"))
    axes.xaxis.set_minor_locator(LogLocator(subs=[]))
    axes.margins(x=0.12, y=0.08)
    axes.grid(alpha=0.3)
    if ours:
        drawn.legend(loc="outside lower center", ncols=len(STYLES), frameon=False)
    return drawn


def _draw_problem(axes: Axes, problem: str, points: Sequence[Point]) -> None:
    if not points:
        return
    colour, marker = STYLES[problem]
    places = zip(*(point.place for point in points), strict=True)
    axes.plot(*places, color=colour, marker=marker, markersize=8, linewidth=1.5, label=problem)
    for point in points:
        _draw(axes, point, hollow=False)


def _draw(axes: Axes, point: Point, hollow: bool) -> None:
    colour, marker = STYLES[point.problem]
    seconds, mean = point.place
    axes.errorbar(
        seconds,
        mean,
        xerr=_deviation(point.seconds),
        yerr=_deviation(point.accuracies),
        color=colour,
        marker=marker,
        markersize=8,
        markerfacecolor="white" if hollow else colour,
        capsize=3,
        elinewidth=1,
        linestyle="none",
        zorder=4,  # above the labels of others
    )


def _label(axes: Axes, point: Point) -> None:
    axes.annotate(
        point.label,
        point.place,
        xytext=(0, -point.below),
        textcoords="offset points",
        ha=point.align,
        va="top",
        fontsize=9,
        color=STYLES[point.problem][0],
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 1},
    )


def _deviation(values: Sequence[float]) -> float:
    return statistics.stdev(values) if len(values) > 1 else 0.0


def _seconds(point: Point) -> float:
    return point.place[0]


if __name__ == "__main__":
    main()
