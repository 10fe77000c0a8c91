"""Draw test accuracy against seconds of training, of what the other benchmarks measured."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, LogLocator

from benchmarks import options, recipes, runs
from benchmarks.speed import learning
from benchmarks.suites import accuracy, tutorials, tutorials_page
from stages.figures import canvas
from stages.running import errors, outputs

PICTURE = Path("reports/benchmarks/accuracy.png")
# By problem: Okabe and Ito's colours, which colour-blind readers can tell apart, and a marker for each.
THREE = "CIFAR-10, three classes"
STYLES = {THREE: ("#0072B2", "o"), "CIFAR-10": ("#D55E00", "s"), "Fashion-MNIST": ("#009E73", "^")}
BARS: dict[str, Any] = {"capsize": 3, "elinewidth": 1, "linestyle": "none", "markersize": 8, "zorder": 4}
ABOVE: dict[str, Any] = {"xytext": (0, 9), "textcoords": "offset points", "ha": "center", "va": "bottom"}
TITLE = """Test accuracy by seconds of training, compilation included
filled: this pipeline; hollow: tutorials A, B and C, trained here as they train;
hollow without a name: A's network in Keras and PyTorch
{}"""


class Point(NamedTuple):
    """A system, of this pipeline or not: its trainings."""

    label: str
    problem: str
    is_ours: bool
    trainings: Sequence[tuple[float, float]]  # seconds and accuracy by seed

    @property
    def place(self) -> tuple[float, float]:
        """Mean seconds and mean accuracy."""
        seconds, mean = np.mean(self.trainings, axis=0)
        return float(seconds), float(mean)


# By the params file of each tutorial's own system: its name in the picture, and its problem.
AS_TRAINED = {
    next(iter(each["variants"].values())): (each["letter"], each["problem"])
    for each in tutorials_page.TUTORIALS
}
PUBLISHED = Point("A on its author's CPU", THREE, False, [(10 * 134, 0.883)])


def main(words: Sequence[str]) -> None:
    """Draw what there is."""
    options.parser("picture", __doc__).parse_args(words)
    raced, race = runs.read(accuracy.RESULTS["cpu"]), learning.RESULTS
    tried = [run for run in runs.read(tutorials.RESULTS) if run.config in AS_TRAINED]
    if not raced and not tried:
        found = f"expected {accuracy.RESULTS['cpu']} or {tutorials.RESULTS}, found neither"
        raise errors.BadInput(f"{found}; run the benchmarks accuracy or tutorials")
    peers = outputs.read_json(race)["peers"] if race.is_file() else {}
    drawn = [*points(accuracy.outcomes(raced), tried, peers), PUBLISHED]
    with outputs.file(PICTURE) as partial:
        canvas.save(figure(drawn, machines([*raced, *tried])), partial)


def points(
    outcomes: Sequence[accuracy.Outcome], tried: Sequence[runs.Run], peers: Mapping[str, Any]
) -> list[Point]:
    """Make a point of each goal, of each tutorial's own system that has been run here, and of each other
    way to train A's network that has been measured."""
    chosen = {config: runs.select(tried, recipes.Recipe(config)) for config in AS_TRAINED}
    rows = [row for name, row in peers.items() if name != "ours"]
    return [
        *(Point("", goal.problem, True, _trainings(found)) for goal, found in outcomes),
        *(Point(*AS_TRAINED[name], False, _trainings(found)) for name, found in chosen.items() if found),
        *(Point("", THREE, False, [(sum(row["seconds"]), row["accuracy"])]) for row in rows),
    ]


def machines(measured: Sequence[runs.Run]) -> str:
    """Name each machine that runs were on, once."""
    places = sorted({run.machine for run in measured})
    return " and ".join(f"{processor}, {cores} CPU cores" for processor, cores in places)


def figure(points: Sequence[Point], where: str) -> Figure:
    """Draw ours filled and joined by problem, theirs hollow, with bars of one standard deviation."""
    drawn = Figure(figsize=(9, 5.5), layout=ConstrainedLayoutEngine(h_pad=0.1))
    axes = drawn.subplots()
    for problem, (colour, marker) in STYLES.items():
        if places := sorted(point.place for point in points if point.is_ours and point.problem == problem):
            axes.plot(*zip(*places, strict=True), color=colour, marker=marker, markersize=8, label=problem)
    for point in points:
        _draw(axes, point)
    axes.set(title=TITLE.format(where), xlabel="seconds of training", ylabel="test accuracy", xscale="log")
    axes.xaxis.set_major_locator(LogLocator(subs=[1, 2, 5]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: f"{seconds:g}"))
    axes.xaxis.set_minor_locator(LogLocator(subs=[]))
    axes.margins(x=0.15, y=0.08)
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[0]:
        drawn.legend(loc="outside lower center", ncols=len(STYLES), frameon=False)
    return drawn


def _trainings(tried: Sequence[runs.Run]) -> list[tuple[float, float]]:
    return [(run.training_seconds, run.accuracy) for run in tried]


def _draw(axes: Axes, point: Point) -> None:
    colour, marker = STYLES[point.problem]
    (x, y), of = point.place, point.trainings
    across, up = np.std(of, axis=0, ddof=1) if len(of) > 1 else (0.0, 0.0)
    face = colour if point.is_ours else "white"
    axes.errorbar(x, y, up, across, color=colour, marker=marker, markerfacecolor=face, **BARS)
    if point.label:
        axes.annotate(point.label, point.place, color=colour, fontsize=9, **ABOVE)
