"""The sections of a report on a change, in Markdown; they compare the results of two revisions."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from stages.reporting import markdown, wilson
from stages.review import comparison, pairing, results, versions

MOST_PAIRS = 10
MOST_STALE = 10  # stages
MOST_NAMED = 5  # of anything in a sentence
SHORT_NAME = 60  # characters
VERDICTS = {
    "better": "**Better**",
    "worse": "**Worse**",
    "no difference": "**No difference that these test images can show**",
}
ONE_EACH = (
    "This is said of these two models: a new seed alone may move either of them. `make compare` trains"
    " several of each and says what the change does."
)


class Floors(NamedTuple):
    """The floors that a change must hold, as shares in 0..1; None asks for nothing.

    A floor that cannot be checked, because metrics are missing, counts as not held.
    """

    min_accuracy: float | None
    max_drop: float | None

    def refusals(self, base: results.Results | None, head: results.Results | None) -> list[str]:
        """Return the reasons for which the change is refused, one clause each; none if it is not."""
        if head is None:
            asked = self.min_accuracy is not None or self.max_drop is not None
            return [f"the head has no {results.METRICS} to hold against the floor"] if asked else []
        found = []
        if self.min_accuracy is not None and head.accuracy < self.min_accuracy:
            found.append(
                f"the accuracy {markdown.percent(head.accuracy)} is below the floor of "
                f"{markdown.percent(self.min_accuracy)}"
            )
        if self.max_drop is not None and base is None:
            found.append(f"the base has no {results.METRICS} to compare the accuracy with")
        if self.max_drop is not None and base is not None:
            drop = round(base.accuracy - head.accuracy, 12)  # 0.95 - 0.93 is above 0.02 in binary
            if drop > self.max_drop:
                found.append(
                    f"the accuracy dropped by {100 * drop:.2f} percentage points, more than the "
                    f"{100 * self.max_drop:.2f} allowed"
                )
        return found


def stale(stages: Mapping[str, Mapping[str, str]]) -> str:
    """Return a warning that dvc.lock does not belong to the code and params beside it.

    Args:
        stages: For each stale stage, what changed in it and how.
    """
    lines = [f"- {_short(stage)}: {_some(_reasons(reasons))}" for stage, reasons in stages.items()]
    if len(lines) > MOST_STALE:
        lines[MOST_STALE:] = [f"- and {len(lines) - MOST_STALE:,} more stages"]
    return (
        "**Stale: `dvc.lock` does not match the committed code and params.** The results below are not those "
        "of this code. Run `dvc repro`, then commit `dvc.lock` and `reports/`. Since they ran, these stages "
        "have changed, and what follows them has to run again:\n\n"
    ) + "\n".join(lines)


def other_versions(found: Sequence[versions.Difference]) -> str:
    """Return a warning that other versions than the requirements pin have trained the model."""
    lines = [
        f"- {markdown.name(each.package)}: trained with {_short(each.trained)}, pinned {_short(each.pinned)}"
        for each in found
    ]
    return (
        f"**Other versions: `{versions.REQUIREMENTS}` pins others than those that made the results below.** "
        f"Install it and run `{versions.REMEDY}`, then commit `dvc.lock` and `reports/`.\n\n"
    ) + "\n".join(lines)


def _reasons(reasons: Mapping[str, str]) -> list[str]:
    return [f"{_short(what)} {how}" for what, how in reasons.items()]


def _short(text: str) -> str:
    """A name in what comes before the verdict, which must leave it room."""
    return markdown.name(text, SHORT_NAME)


def _some(texts: Sequence[str]) -> str:
    """Join the first of some texts, and say how many more there are."""
    more = [f"and {len(texts) - MOST_NAMED:,} more"] if len(texts) > MOST_NAMED else []
    return ", ".join([*texts[:MOST_NAMED], *more])


def refused(reasons: Sequence[str]) -> str:
    """Return a note that the change does not hold the floors, with the reasons."""
    return f"**Refused:** {'; '.join(reasons)}."


def verdict(base: results.Results | None, head: results.Results, other_images: str | None) -> str:
    """Return the verdict (better, worse or no difference) in one line, and its basis in the next.

    Args:
        base: The results of base; None if it has no metrics.
        head: The results that are judged.
        other_images: The reason why equal positions mean different test images; None if they mean the same.
    """
    if base is None:
        low, high = wilson.interval(head.right, head.images)
        return (
            f"**No verdict**: the base has no {markdown.name(results.METRICS)} to compare with. Accuracy "
            f"{markdown.percent(head.accuracy)} on {head.images:,} test images, 95 % interval "
            f"{markdown.percent(low)} to {markdown.percent(high)}."
        )
    reason = why_not_paired(base, head, other_images)
    shared = None if other_images else _shared(base, head)
    if reason is None and shared is not None:
        found = comparison.paired(shared["base_right"].to_numpy(), shared["head_right"].to_numpy())
        method = f"McNemar's exact test on the same {head.images:,} test images"
    else:
        found = comparison.independent(base.right, base.images, head.right, head.images)
        method = f"Fisher's exact test of two proportions, because {reason}"
    counts = "" if shared is None or shared.empty else _fixed_and_broke(shared, all_of_them=reason is None)
    agree = (found.low <= 0 <= found.high) == (found.verdict == "no difference")
    return (
        f"{VERDICTS[found.verdict]}: accuracy {markdown.percent(found.base)} → "
        f"{markdown.percent(found.head)}, {markdown.points(found.change)} percentage points, 95 % interval "
        f"{markdown.points(found.low)} to {markdown.points(found.high)} (p {markdown.p_value(found.p)}).\n\n"
        f"{counts}{method}; Newcombe's interval."
        f"{'' if agree else ' Here they disagree on whether zero is possible: the test decides.'}"
        f" {ONE_EACH}"
    )


def classes(base: results.Results | None, head: results.Results, other_images: str | None) -> str:
    """Return the classes whose recall changed by more than chance explains, and below, folded, the others."""
    if base is None or base.predictions is None or head.predictions is None:
        return ""
    paired = why_not_paired(base, head, other_images) is None
    key = pairing.key(base.predictions, head.predictions)
    both = set(base.predictions["actual"]) & set(head.predictions["actual"])
    names = [name for name in head.classes if name in both]
    if not names:
        return ""
    before, after = (_right_by_class(table, key) for table in (base.predictions, head.predictions))
    found = [_recall(before[name], after[name], paired) for name in names]
    adjusted = comparison.adjust([each.p for each in found])
    ranked = sorted(zip(adjusted, names, found, strict=True), key=lambda row: (row[0], -abs(row[2].change)))
    rows = [
        [
            markdown.name(name),
            markdown.percent(each.base),
            markdown.percent(each.head),
            markdown.points(each.change),
            *([str(each.fixed), str(each.broke)] if paired else []),
            f"{p:.2g}" if p >= 0.0001 else "< 0.0001",
        ]
        for p, name, each in ranked
    ]
    clear = int(np.sum(adjusted < comparison.SIGNIFICANCE))
    test = "McNemar's exact test" if paired else "Fisher's exact test"
    headers = [
        "class",
        "recall, base",
        "head",
        "points",
        *(["fixed", "broke"] if paired else []),
        "p, adjusted",
    ]
    text = [
        "### Classes",
        f"Recall changed by more than its noise in {clear} of {len(names)} classes that both have: {test} "
        "per class at 5 %, adjusted for their number after Benjamini and Hochberg.",
    ]
    if clear:
        text.append(markdown.table(headers, rows[:clear], "Classes that changed"))
    if rows[clear:]:
        rest = markdown.cut(headers, rows[clear:])
        text.append(
            markdown.fold(f"{'The other classes' if clear else 'All of them'}, within their noise", rest)
        )
    return "\n\n".join(text)


def confusions(base: results.Results | None, head: results.Results) -> str:
    """Return the pairs of classes whose confusion changed most, by their share of all test images."""
    if base is None or base.predictions is None or head.predictions is None:
        return ""
    if set(base.predictions["actual"]).isdisjoint(head.predictions["actual"]):
        return ""
    before, after = _mistakes(base.predictions), _mistakes(head.predictions)
    change = {
        pair: after.get(pair, 0) / head.images - before.get(pair, 0) / base.images
        for pair in sorted(before.keys() | after.keys())
    }
    ranked = sorted((pair for pair in change if change[pair]), key=lambda pair: -abs(change[pair]))
    if not ranked:
        return ""
    rows = [
        [
            f"{markdown.name(actual)} taken for {markdown.name(predicted)}",
            f"{before.get((actual, predicted), 0):,}",
            f"{after.get((actual, predicted), 0):,}",
            markdown.points(change[actual, predicted]),
        ]
        for actual, predicted in ranked[:MOST_PAIRS]
    ]
    text = f"The {len(rows)} that changed most, by their share of all test images, noise included."
    headers = ["actual class", "images, base", "head", "points"]
    return "\n\n".join(["### Confusions", text, markdown.table(headers, rows, "Confusions")])


def differences(title: str, base: Mapping[str, Any], head: Mapping[str, Any]) -> str:
    """Return a table of the values that differ between two mappings, which may have mappings inside.

    Args:
        title: The title of the section.
        base: The values of the base.
        head: The values of the head.
    """
    before, after = dict(leaves(base)), dict(leaves(head))
    changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    rows = [
        [
            markdown.name(key),
            markdown.value(before.get(key)),
            markdown.value(after.get(key)),
            _change(before.get(key), after.get(key)),
        ]
        for key in sorted(changed, key=_overall_first)
    ]
    if not rows:
        return f"### {title}\n\nNone changed."
    table = markdown.table(["name", "base", "head", "change"], rows, f"All {title.lower()}")
    return f"### {title}\n\n{table}"


def leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield dotted keys and the values that are no mappings."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _change(old: object, new: object) -> str:
    if not all(isinstance(each, int | float) and not isinstance(each, bool) for each in (old, new)):
        return ""
    change = new - old  # type: ignore[operator]
    return f"{'+' if change > 0 else ''}{markdown.value(change)}"


def _overall_first(key: str) -> tuple[bool, str]:
    """Return a sort key with the overall values first."""
    return "." in key, key


def stages(changed: Mapping[str, Sequence[str]]) -> str:
    """Return the section on the stages whose locks differ."""
    if not changed:
        return "### Stages\n\nNo stage differs in `dvc.lock`."
    lines = [
        f"- {markdown.name(stage)}: {', '.join(map(markdown.name, changes))}"
        for stage, changes in changed.items()
    ]
    text = "\n".join(lines)
    if sum(map(len, changed.values())) > markdown.OPEN_ROWS:
        text = markdown.fold("What differs in each", text)
        names = ", ".join(map(markdown.name, changed))
        return f"### Stages\n\n`dvc.lock` differs in {names}.\n\n{text}"
    return f"### Stages\n\nWhat differs in `dvc.lock`:\n\n{text}"


def environment(base: results.Results | None, head: results.Results) -> str:
    """Return the differences between the machines and the versions that trained the two models."""
    if base is None or base.environment is None:
        return ""
    before, after = base.environment, head.environment or {}
    rows = [
        [markdown.name(key), markdown.value(before.get(key)), markdown.value(after.get(key))]
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    ]
    if not rows:
        return ""
    text = "The models were not trained alike: part of the differences may come from here."
    return "\n\n".join(
        ["### Training environment", text, markdown.table(["name", "base", "head"], rows, "All of it")]
    )


def picture(file: str, url: str | None, link: str | None) -> str:
    """Return the section with the picture of both revisions, or with a link to it.

    Args:
        file: The file to which the picture was written.
        url: The URL at which the report finds the picture; None takes `file`.
        link: The page that has the picture, if it cannot be shown; or None.
    """
    title = "### Curves and confusion matrices"
    if link is not None:
        return f"{title}\n\n{markdown.name(file)} is among {markdown.link('the files of this run', link)}."
    shown = markdown.picture("Learning curves and confusion matrices of base and head", url or file)
    return f"{title}\n\n{shown}"


def why_not_paired(base: results.Results, head: results.Results, other_images: str | None) -> str | None:
    """Return why the models were not judged on the same images; None if they were."""
    if base.predictions is None or head.predictions is None:
        which = "base" if base.predictions is None else "head"
        return f"{which} has no {markdown.name(results.PREDICTIONS)}"
    if other_images:
        return other_images
    before, after = set(base.predictions["actual"]), set(head.predictions["actual"])
    changes = [
        f"{word} {_some([_short(name) for name in sorted(names)])}"
        for word, names in (("added", after - before), ("removed", before - after))
        if names
    ]
    if changes:
        return f"the classes differ ({'; '.join(changes)})"
    shared = _shared(base, head)
    if shared is None or len(shared) < max(base.images, head.images):
        count = 0 if shared is None else len(shared)
        return f"the test images differ (base has {base.images:,}, head {head.images:,}, both {count:,})"
    return None


def _shared(base: results.Results, head: results.Results) -> pd.DataFrame | None:
    """Return bool columns base_right and head_right for the test images of both; None without predictions."""
    if base.predictions is None or head.predictions is None:
        return None
    return pairing.merged(base.predictions, head.predictions)


def _fixed_and_broke(shared: pd.DataFrame, all_of_them: bool) -> str:
    fixed = int((~shared["base_right"] & shared["head_right"]).sum())
    broke = int((shared["base_right"] & ~shared["head_right"]).sum())
    where = "" if all_of_them else f" of the {len(shared):,} that both have"
    return f"Images{where}: {fixed:,} fixed, {broke:,} broke. "


def _right_by_class(table: pd.DataFrame, key: str) -> dict[str, np.ndarray]:
    """Return for each actual class which of its images are right, in the order of the column `key`."""
    ordered = table.sort_values(key)
    right = ordered["predicted"] == ordered["actual"]
    return {str(name): each.to_numpy() for name, each in right.groupby(ordered["actual"], sort=False)}


def _recall(base: np.ndarray, head: np.ndarray, paired: bool) -> comparison.Difference:
    if paired:
        return comparison.paired(base, head)
    return comparison.independent(int(base.sum()), len(base), int(head.sum()), len(head))


def _mistakes(table: pd.DataFrame) -> dict[tuple[str, str], int]:
    wrong = table[table["actual"] != table["predicted"]]
    return dict(Counter(zip(wrong["actual"], wrong["predicted"], strict=True)))
