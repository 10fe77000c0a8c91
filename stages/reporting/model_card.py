"""A model card: what a model is, what it was tested on, how good and how sure it is, and where that ends.

Its words are in model_card.md.j2, its numbers come from here. The sections are those of "Model Cards for
Model Reporting" (Mitchell et al., 2019, arXiv:1810.03993).
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import numpy as np
import pandas as pd

from stages.classifier import provenance
from stages.inputs import data_report
from stages.reporting import calibration, confusions, markdown, wilson

MOST_PAIRS = 5  # of confused classes; confusions.md has more
WEAKEST = 3  # classes named in the caveats
TRUSTED = (0.5, 0.7, 0.9, 0.95, 0.99)  # thresholds of confidence


class Facts(NamedTuple):
    """The facts about a model that was judged on N test images of K classes."""

    data: dict[str, Any]  # reports/data.json
    training: provenance.Training
    environment: dict[str, Any]  # data/model/environment.json
    image_shape: Sequence[int]  # (H, W, C)
    history: pd.DataFrame  # reports/history.csv
    metrics: dict[str, Any]  # reports/metrics.json
    per_class: dict[str, dict[str, Any]]  # reports/per_class.json
    counts: np.ndarray  # int [K, K]; row = actual class, column = predicted class
    confidence: np.ndarray  # float64 [N], the probability of the predicted class
    right: np.ndarray  # bool [N]
    calibration: calibration.Bins
    uncalibrated: calibration.Bins | None = None  # as they were before a temperature
    threshold: float | None = None  # confidence above which `metrics["selective"]["target"]` holds

    @property
    def classes(self) -> list[str]:
        """K names, in the order of the labels."""
        return self.data["classes"]


def text(facts: Facts) -> str:
    """The card in Markdown, for a folder that has the pictures it shows. Equal facts give equal text."""
    pairs = confusions.pairs(facts.counts)
    template = _environment().get_template("model_card.md.j2")
    return template.render(
        training=facts.training,
        data=facts.data,
        classes=facts.classes,
        image_shape=facts.image_shape,
        images=_images(facts),
        splits=data_report.SPLITS,
        dropped=data_report.dropped(facts.data["repeated"]),
        settings=_settings(facts.training.params),
        environment=facts.environment,
        epochs=len(facts.history),
        **_epochs(facts),
        metrics=facts.metrics,
        accuracy=_accuracy(facts.metrics),
        averaged=_averaged(facts.metrics),
        unmeasured=sum(numbers["support"] == 0 for numbers in facts.per_class.values()),
        confidence=float(facts.confidence.mean()),
        bins=len(facts.calibration.images),
        error_by_chance=calibration.error_by_chance(facts.calibration),
        by_class=_by_class(facts),
        missed=_missed(facts),
        pairs=len(pairs),
        confusions=_confusions(facts, pairs[:MOST_PAIRS]),
        certainty=_certainty(facts),
        trusted=_trusted(facts),
        threshold=facts.threshold,
        selected=_selected(facts.metrics),
    )


def _environment() -> jinja2.Environment:
    """What reads the template. Names get their escaping from the filter `code`, since Markdown is no HTML."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {
        "code": markdown.name,
        "number": _number,
        "measured": _measured,
        "operation": _operation,
        "percent": markdown.percent,
        "setting": _setting,
    }
    environment.globals |= {"picture": markdown.picture, "table": markdown.table}
    return environment


def _images(facts: Facts) -> list[list[str]]:
    """Label, name and images in each split, by class."""
    images = facts.data["images"]
    return [
        [str(label), markdown.name(name), *(f"{images[split][name]:,}" for split in data_report.SPLITS)]
        for label, name in enumerate(facts.classes)
    ]


def _settings(params: provenance.Settings) -> list[list[str]]:
    """Dotted key and value of all training settings but those of the model."""
    leaves = _leaves(params.model_dump())
    return [[markdown.name(key), _setting(value)] for key, value in leaves if "model." not in key]


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Everything below a mapping that is not itself a mapping, by dotted key."""
    for key, value in sorted(values.items()):
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _epochs(facts: Facts) -> dict[str, Any]:
    """The rows of the epoch whose weights are kept and of the best one, and the measure that finds the best.

    The best one is found as the train stage finds it; it is None without validation.
    """
    history, measure = facts.history, facts.training.params.select
    row = history.set_index("epoch", drop=False).loc[facts.training.kept_epoch]
    found = {"kept": row.to_dict(), "best": None, "measure": measure.replace("_", " ")}
    if "val_loss" not in history:
        return found
    columns = [f"val_{measure}", "val_loss"]
    ranked = history.sort_values(columns, ascending=[measure == "loss", True], kind="stable")
    return found | {"best": ranked.iloc[0].to_dict(), "column": f"val_{measure}"}


def _by_class(facts: Facts) -> list[list[str]]:
    """Name, recall, precision, F1 and images of every class, the weakest first."""
    rows = []
    for label in _weakest_first(facts.counts):
        name = facts.classes[label]
        numbers = facts.per_class[name]
        found, taken = facts.counts[label, label], facts.counts[:, label].sum()
        rows.append(
            [
                markdown.name(name),
                _share(found, numbers["support"], numbers["recall"], nothing="no images"),
                _share(found, taken, numbers["precision"], nothing="never predicted"),
                markdown.percent(numbers["f1"]),
                f"{numbers['support']:,}",
            ]
        )
    return rows


def _missed(facts: Facts) -> list[tuple[str, str]]:
    """Name and recall of the weakest classes, without those of which every image is found."""
    missed = []
    for label in _weakest_first(facts.counts)[:WEAKEST]:
        name, found, images = facts.classes[label], facts.counts[label, label], facts.counts[label].sum()
        if found < images:
            missed.append((name, _share(found, images, facts.per_class[name]["recall"])))
    return missed


def _weakest_first(counts: np.ndarray) -> list[int]:
    """Labels by recall; ties in their own order."""
    recall = np.diag(counts) / np.maximum(counts.sum(axis=1), 1)
    return np.argsort(recall, kind="stable").tolist()


def _confusions(facts: Facts, pairs: Sequence[confusions.Pair]) -> list[list[str]]:
    """Names, images and share of the actual class, by pair."""
    names = [markdown.name(name) for name in facts.classes]
    return [
        [
            f"{names[actual]} taken for {names[predicted]}",
            f"{images:,}",
            _share(images, facts.counts[actual].sum()),
        ]
        for actual, predicted, images in pairs
    ]


def _certainty(facts: Facts) -> list[list[str]]:
    """How many predictions are right and wrong, and the spread of their confidence."""
    rows = []
    for name, of_kind in (("right", facts.right), ("wrong", ~facts.right)):
        confidence = facts.confidence[of_kind]
        spread = ["none"] * 3
        if len(confidence):
            low, median, high = map(markdown.percent, np.quantile(confidence, [0.1, 0.5, 0.9]))
            spread = [markdown.percent(confidence.mean()), median, f"{low} to {high}"]
        rows.append([name, f"{len(confidence):,}", *spread])
    return rows


def _trusted(facts: Facts) -> list[list[str]]:
    """How many images have at least some confidence, and the share of them that is right, by threshold."""
    rows = []
    for threshold in TRUSTED:
        kept = facts.confidence >= threshold
        images = int(kept.sum())
        of_all = markdown.percent(images / len(kept))
        right = _share(facts.right[kept].sum(), images)
        rows.append([markdown.percent(threshold, decimals=0), f"{images:,} ({of_all})", right])
    return rows


def _selected(numbers: Mapping[str, Any]) -> str:
    """The precision of the answers that are sure enough, with its interval; nothing if there are none."""
    found = numbers.get("selective", {})
    if "precision" not in found:
        return ""
    return markdown.percent_with_interval(found["precision"], found["precision_low"], found["precision_high"])


def _accuracy(numbers: Mapping[str, Any]) -> str:
    return markdown.percent_with_interval(
        numbers["accuracy"], numbers["accuracy_low"], numbers["accuracy_high"]
    )


def _averaged(numbers: Mapping[str, Any]) -> dict[str, str]:
    """The measures that count every class alike, with their intervals, by name."""
    known = numbers["macro"] | {
        key: value for key, value in numbers.items() if key.startswith("balanced_accuracy")
    }
    return {
        name: markdown.percent_with_interval(known[name], known[f"{name}_low"], known[f"{name}_high"])
        for name in ("balanced_accuracy", "f1", "average_precision", "roc_auc")
        if name in known
    }


def _share(part: int, whole: int, rounded: float | None = None, nothing: str = "none") -> str:
    """A share with its interval, rounded as the metrics have it, if they have it; `nothing` of no images."""
    if not whole:
        return nothing
    share = part / whole if rounded is None else rounded
    return markdown.percent_with_interval(share, *wilson.interval(int(part), int(whole)))


def _number(count: int, noun: str = "") -> str:
    """A count with the noun counted, or without one."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}" if noun else f"{count:,}"


def _measured(value: float, measure: str) -> str:
    """A validation measure: a loss with four decimals, a share in percent."""
    return f"{value:.4f}" if measure == "loss" else markdown.percent(value)


def _operation(listed: Mapping[str, Mapping[str, Any] | None]) -> str:
    """An augmentation with its options, as a call."""
    ((name, options),) = listed.items()
    settings = ", ".join(f"{key}={value}" for key, value in (options or {}).items())
    return markdown.name(f"{name}({settings})" if settings else name)


def _setting(value: object) -> str:
    """A parameter's value as params.yaml has it."""
    if isinstance(value, list):
        return markdown.name(", ".join(map(str, value))) if value else "none"
    return markdown.name(str(value).lower()) if isinstance(value, bool) else markdown.value(value)
