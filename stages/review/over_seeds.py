"""The sections of a report on a change that several trainings of each side give, in Markdown."""

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from stages.reporting import markdown
from stages.review import crossed, sections, trainings
from stages.running import errors

FEWEST_IMAGES = 2
SETTLED = ("better", "worse")
VERDICTS = sections.VERDICTS | {
    "no difference": "**No difference that these seeds and test images can show**"
}


def compared(
    base: Sequence[trainings.Training], head: Sequence[trainings.Training], other_images: str | None
) -> tuple[crossed.Change, str | None]:
    """Compare the trainings of two sides, each at least two; and why not image by image, or None.

    Raises:
        errors.BadInput: trainings of one side have other test images, or there is only one image.
    """
    reason = sections.why_not_paired(base[0].results, head[0].results, other_images)
    before, after = trainings.right(base, head), trainings.right(head, base)
    if min(before.shape[1], after.shape[1]) < FEWEST_IMAGES:
        raise errors.BadInput("expected at least two test images to compare over seeds, received one")
    return crossed.compare(before, after, paired=reason is None), reason


def verdict(change: crossed.Change, reason: str | None) -> str:
    """Return the verdict on a change, what it covers, and what it would take to know more.

    Args:
        change: The comparison.
        reason: Why the sides are not compared image by image; None if they are.
    """
    counts = f"{change.base.trainings} and {change.head.trainings} seeds"
    images = "on the same test images" if reason is None else f"unpaired, because {reason}"
    return (
        f"{VERDICTS[change.verdict]}: mean accuracy {_spread(change.base)} → {_spread(change.head)} over "
        f"{counts}, {markdown.points(change.change)} percentage points, 95 % interval "
        f"{markdown.points(change.low)} to {markdown.points(change.high)} "
        f"(p {markdown.p_value(change.p)}).\n\n"
        "This is said of the change: the interval covers other seeds and other test images. Analysis of "
        f"variance of trainings and images, {images}; Satterthwaite's degrees of freedom. {power(change)}"
    )


def power(change: crossed.Change) -> str:
    """Return which difference so many seeds find, and about how many more would settle an open question."""
    trained = min(change.base.trainings, change.head.trainings)
    least = _points(change.detectable(trained))
    found = f"{trained} seeds a side find a difference of {least} points in 80 % of cases."
    if change.verdict in SETTLED:
        return found
    needed = change.enough(change.change)
    if needed is None:
        more = f"more than {crossed.MOST} seeds a side, or more test images"
        return f"{found} To settle one of {_points(change.change)} points would take {more}."
    more_seeds = max(needed - trained, 1)
    seeds = "one more seed" if more_seeds == 1 else f"{more_seeds} more seeds"
    return f"{found} About {seeds} a side would settle a difference of {_points(change.change)} points."


def table(sides: Mapping[str, Sequence[trainings.Training]]) -> str:
    """Return a table with a row per side; nothing where each side has one training or none.

    Args:
        sides: The trainings of each side, by what it is called.
    """
    if max(map(len, sides.values()), default=0) < crossed.FEWEST:
        return ""
    headers = ["", "seeds", "n", "accuracy, mean ± sd", "lowest", "highest"]
    rows = [_row(name, found) for name, found in sides.items() if found]
    text = "Trainings that differ by `train.seed` only; sd is their sample standard deviation."
    return "\n\n".join(["### Seeds", text, markdown.table(headers, rows, "Seeds"), *_machines(sides)])


def metrics(base: Sequence[trainings.Training], head: Sequence[trainings.Training]) -> str:
    """Return a table of the metrics of both sides, each as mean ± sd over its trainings."""
    before, after = (
        [dict(sections.leaves(training.results.metrics)) for training in side] for side in (base, head)
    )
    names = [name for name in after[0] if all(_is_number(values.get(name)) for values in before + after)]
    rows = []
    for name in sorted(names, key=lambda name: ("." in name, name)):
        old, new = ([values[name] for values in side] for side in (before, after))
        change = statistics.fmean(new) - statistics.fmean(old)
        if len({*old, *new}) > 1:
            rows.append([markdown.name(name), _mean(old), _mean(new), f"{change:+.4f}"])
    shown = (
        markdown.table(["name", "base", "head", "change"], rows, "All metrics") if rows else "None changed."
    )
    return f"### Metrics\n\nMean ± sd over the seeds.\n\n{shown}"


def _row(name: str, found: Sequence[trainings.Training]) -> list[str]:
    accuracies = [training.results.accuracy for training in found]
    spread = f" ± {_points(statistics.stdev(accuracies))}" if len(found) > 1 else ""
    return [
        name,
        ", ".join(str(training.seed) for training in found),
        str(len(found)),
        f"{markdown.percent(statistics.fmean(accuracies))}{spread}",
        markdown.percent(min(accuracies)),
        markdown.percent(max(accuracies)),
    ]


def _machines(sides: Mapping[str, Sequence[trainings.Training]]) -> Iterator[str]:
    """Yield a warning where trainings come from machines that compute in other ways."""
    places = {
        (place.get("processor"), place.get("precision"))
        for found in sides.values()
        for training in found
        if (place := training.results.environment) is not None
    }
    if len(places) > 1:
        listed = ", ".join(sorted(markdown.name(" in ".join(map(str, place))) for place in places))
        yield f"They were not all trained alike, which part of the spread may come from: {listed}."


def _spread(side: crossed.Side) -> str:
    return f"{markdown.percent(side.accuracy)} ± {_points(side.spread)}"


def _points(difference: float) -> str:
    return f"{100 * abs(difference):.2f}"


def _mean(values: Sequence[float]) -> str:
    spread = f" ± {statistics.stdev(values):.4f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.4f}{spread}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
