"""Draw test accuracy against seconds of training, of what the other benchmarks measured."""

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, LogLocator

from benchmarks import options, runs
from benchmarks.speed import learning
from benchmarks.suites import accuracy, tutorials
from stages.figures import canvas
from stages.running import errors, outputs

PICTURE = Path("reports/benchmarks/accuracy.png")
# Okabe and Ito's colours, which colour-blind readers can tell apart, and a marker for each.
STYLES = {
    accuracy.THREE: ("#0072B2", "o"),
    accuracy.TEN: ("#D55E00", "s"),
    accuracy.FASHION: ("#009E73", "^"),
}
TITLE = """Test accuracy by seconds of training, compilation included
filled: this pipeline; hollow: tutorials A, B and C, trained here as they train;
hollow without a name: A's network in Keras and PyTorch
{}"""


class Point(NamedTuple):
    """A system: its accuracies and seconds of training by seed."""

    label: str
    problem: str
    accuracies: Sequence[float]
    seconds: Sequence[float]

    @property
    def place(self) -> tuple[float, float]:
        """Mean seconds and mean accuracy."""
        return statistics.fmean(self.seconds), statistics.fmean(self.accuracies)


PUBLISHED = [Point("A on its author's CPU", accuracy.THREE, [0.883], [10 * 134])]
AS_TRAINED = {
    "cifar10-three-classes": ("A", accuracy.THREE),
    "fashion-mnist-dense": ("B dense", accuracy.FASHION),
    "fashion-mnist": ("B", accuracy.FASHION),
    "cifar10": ("C", accuracy.TEN),
}


def main(words: Sequence[str]) -> None:
    """Draw what there is."""
    options.parser("picture", __doc__).parse_args(words)
    outcomes, raced = accuracy.read(accuracy.RESULTS), runs.read(accuracy.RESULTS)
    measured = [run for run in runs.read(tutorials.RESULTS) if run.config in AS_TRAINED]
    if not outcomes and not measured:
        raise errors.BadInput(
            f"expected {accuracy.RESULTS} or {tutorials.RESULTS}, found neither; run the benchmarks accuracy"
            " or tutorials"
        )
    theirs = [*reproduced(measured), *peers(learning.read(learning.RESULTS)), *PUBLISHED]
    with outputs.file(PICTURE) as partial:
        canvas.save(figure(ours(outcomes), theirs, machines([*raced, *measured])), partial)


def ours(outcomes: Sequence[accuracy.Outcome]) -> list[Point]:
    """Make a point of each goal."""
    return [Point("", outcome.goal.problem, outcome.accuracies, outcome.seconds) for outcome in outcomes]


def reproduced(measured: Sequence[runs.Run]) -> list[Point]:
    """Make a point of each tutorial's own system that has been run here."""
    points = []
    for config, (label, problem) in AS_TRAINED.items():
        if chosen := runs.select(measured, config):
            seconds = [run.training_seconds for run in chosen]
            points.append(Point(label, problem, [run.accuracy for run in chosen], seconds))
    return points


def peers(report: dict[str, Any]) -> list[Point]:
    """Make a point of each other way to train A's network that has been measured."""
    rows = {name: row for name, row in report.get("peers", {}).items() if name != "ours"}
    return [Point("", accuracy.THREE, [row["accuracy"]], [sum(row["seconds"])]) for row in rows.values()]


def machines(measured: Sequence[runs.Run]) -> str:
    """Name each machine that runs were on, once."""
    places = sorted({run.machine for run in measured})
    return " and ".join(f"{place.processor}, {place.cores} CPU cores" for place in places)


def figure(ours: Sequence[Point], theirs: Sequence[Point], where: str) -> Figure:
    """Draw ours filled and joined by problem, theirs hollow, with bars of one standard deviation."""
    drawn = Figure(figsize=(9, 5.5), layout=ConstrainedLayoutEngine(h_pad=0.1))
    axes = drawn.subplots()
    for problem, (colour, marker) in STYLES.items():
        points = sorted((point for point in ours if point.problem == problem), key=lambda point: point.place)
        if points:
            places = zip(*(point.place for point in points), strict=True)
            axes.plot(*places, color=colour, marker=marker, markersize=8, label=problem)
        for point in points:
            _draw(axes, point, hollow=False)
    for point in theirs:
        _draw(axes, point, hollow=True)
    axes.set(title=TITLE.format(where), xlabel="seconds of training", ylabel="test accuracy", xscale="log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: f"{seconds:g}"))
    axes.xaxis.set_minor_locator(LogLocator(subs=[]))
    axes.margins(x=0.15, y=0.08)
    axes.grid(alpha=0.3)
    if ours:
        drawn.legend(loc="outside lower center", ncols=len(STYLES), frameon=False)
    return drawn


def _draw(axes: Axes, point: Point, hollow: bool) -> None:
    colour, marker = STYLES[point.problem]
    seconds, mean = point.place
    vertical, horizontal = (statistics.stdev(each) if len(each) > 1 else 0.0 for each in point[2:])
    face = "white" if hollow else colour
    look: dict[str, Any] = {
        "color": colour,
        "marker": marker,
        "markersize": 8,
        "markerfacecolor": face,
        "zorder": 4,
    }
    axes.errorbar(seconds, mean, vertical, horizontal, capsize=3, elinewidth=1, linestyle="none", **look)
    if point.label:
        axes.annotate(
            point.label,
            point.place,
            (0, 9),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=9,
            color=colour,
        )
