"""A model card: what a model is, what it was tested on, how good and how sure it is, and where that ends.

The sections are those of "Model Cards for Model Reporting" (Mitchell et al., 2019, arXiv:1810.03993).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from stages.classifier import provenance
from stages.reporting import calibration, confusions, markdown, wilson

PAPER = "https://arxiv.org/abs/1810.03993"
NAMED_CLASSES = 10  # in a sentence; the tables have the others
MOST_PAIRS = 5  # of confused classes; confusions.md has more
WEAKEST = 3  # classes named in the caveats
TRUSTED = (0.5, 0.7, 0.9, 0.95, 0.99)  # thresholds of confidence
SPLITS = {"train": "training", "val": "validation", "test": "test"}
LOOKS = {  # by train.test_time_augmentation
    1: "",
    2: " It averages what it says of an image and of its mirror image.",
    6: " It averages what it says of an image, of its mirror image, and of both shifted by a pixel.",
}
MODES = {1: "L", 3: "RGB", 4: "RGBA"}  # Pillow's names, by channels


class Facts(NamedTuple):
    """What is known of a model judged on N test images of K classes."""

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

    @property
    def classes(self) -> list[str]:
        """K names, in the order of the labels."""
        return self.data["classes"]


def text(facts: Facts) -> str:
    """The card in Markdown, to stand beside the pictures it shows. Equal facts give equal text."""
    sections = {
        f"# Model card: {_architecture(facts)} for {_dataset(facts)}": _opening(facts),
        "## Model details": _details(facts),
        "## Intended use": _use(facts),
        "## Factors": _factors(facts),
        "## Metrics": _metrics(facts),
        "## Evaluation data": _evaluation_data(facts),
        "## Training data": _training_data(facts),
        "## Quantitative analyses": _analyses(facts),
        "## Ethical considerations": _ethics(facts),
        "## Caveats and recommendations": _caveats(facts),
    }
    return "\n\n".join(f"{title}\n\n{content}" for title, content in sections.items()) + "\n"


def _opening(facts: Facts) -> str:
    classes = f"{len(facts.classes):,} classes: {_names(facts.classes)}"
    return (
        f"Sorts images of {_size(facts)} into {classes}. It is right about **{_accuracy(facts)}** of "
        f"{_number(facts.metrics['images'], 'test image')}.\n\n"
        f"The sections are those of [Model Cards for Model Reporting]({PAPER}) (Mitchell et al., 2019). "
        "Every number is computed whenever the model is evaluated; in brackets stand 95 % intervals."
    )


def _details(facts: Facts) -> str:
    options = facts.training.params.model
    rows = [
        ["architecture", _architecture(facts)],
        *[[f"its {markdown.name(key)}", _setting(value)] for key, value in options.items() if key != "name"],
        ["parameters", f"{facts.metrics['parameters']:,}, all weights counted"],
        ["input", f"uint8 `[B, {', '.join(map(str, facts.image_shape))}]`: pixels in 0 to 255, unscaled"],
        [
            "output",
            f"float32 `[B, {len(facts.classes)}]`: probabilities, in the order of the classes' labels",
        ],
        ["file", "`data/model/model.keras`; `dvc repro` makes it, `dvc pull train` fetches it from a remote"],
        ["owner, licence", "not recorded by the pipeline"],
    ]
    looks = LOOKS[facts.training.params.test_time_augmentation]
    weights = options.get("weights", "none")
    pretrained = (
        f" Part of it started from weights trained elsewhere ({markdown.name(weights)}), whose biases it "
        "carries."
        if weights not in ("none", None)
        else ""
    )
    return "\n\n".join(
        [
            _table(["", ""], rows),
            f"[model_summary.txt](model_summary.txt) lists its layers.{looks}{pretrained} To use it:",
            f"```python\n{example(facts.image_shape)}```",
        ]
    )


def example(image_shape: Sequence[int]) -> str:
    """Python that classifies one picture file; it runs where the pipeline ran."""
    height, width, channels = image_shape
    lines = ["import json", "from pathlib import Path", "", "import keras"]
    if channels in MODES:
        lines += ["import numpy as np", "from PIL import Image"]
    lines += [
        "",
        'model = keras.models.load_model("data/model/model.keras")',
        'classes = json.loads(Path("reports/data.json").read_text(encoding="utf-8"))["classes"]',
    ]
    if channels in MODES:
        lines += [
            f'picture = Image.open("picture.png").convert("{MODES[channels]}")',
            f"picture = picture.resize(({width}, {height}), Image.Resampling.BILINEAR)  # width, height",
            f"images = np.asarray(picture).reshape(1, {height}, {width}, {channels})",
        ]
    else:
        lines += [f"images = ...  # uint8 [B, {height}, {width}, {channels}]"]
    lines += [
        "(probabilities,) = model.predict(images)",
        "print(classes[probabilities.argmax()], probabilities.max())",
    ]
    return "\n".join(lines) + "\n"


def _use(facts: Facts) -> str:
    return _bullets(
        f"Meant for images like those of {_dataset(facts)}, each of exactly one of the classes, brought to "
        f"{_size(facts)} as the training images were.",
        "Any other image gets one of these classes all the same: the model cannot say none of these, and "
        "may be sure of what it says.",
        "Not meant to find several objects in an image or to say where they are; nor to decide anything "
        "about people without a study of that use.",
    )


def _factors(facts: Facts) -> str:
    return (
        f"Results are given by class and by confidence. Of the images of {_dataset(facts)} the pipeline "
        "knows nothing else: neither camera, light, place or time, nor groups of people. How the model does "
        "across them is unknown."
    )


def _metrics(facts: Facts) -> str:
    bins = len(facts.calibration.images)
    return _bullets(
        "**Accuracy**: the share of test images whose most probable class is the right one.",
        "**Recall** of a class: the share of its images that are found. **Precision**: the share that is "
        "right of the images taken for it. **F1**: their harmonic mean.",
        "**Confidence**: the probability of the predicted class. **Expected calibration error**: the mean "
        f"distance between confidence and accuracy over {_number(bins, 'bin')} of equal width "
        "([Guo et al., 2017](https://arxiv.org/abs/1706.04599)).",
        "**Intervals** are Wilson's, at 95 %. They cover the luck of drawing these test images from their "
        "source, not that of training: another seed gives another model.",
    )


def _evaluation_data(facts: Facts) -> str:
    images, within = facts.metrics["images"], facts.data["repeated"]["test"]["within"]
    carved = facts.data["params"]["test_fraction"]
    source = (
        "the published test split"
        if carved is None
        else f"carved at random from each class of the published training split ({markdown.percent(carved)})"
    )
    limit = facts.data["params"]["limit_per_class"]
    limited = "" if limit is None else f", at most {_number(limit, 'image')} of a class"
    repeats = f" {_number(within, 'image')} of them repeat another, pixel for pixel." if within else ""
    return (
        f"{_number(images, 'image')} of {_dataset(facts)}: {source}{limited}.{repeats} Training never "
        "reads them; but whoever chooses settings by these results makes them too good to be true."
    )


def _training_data(facts: Facts) -> str:
    images = facts.data["images"]
    rows = [
        [str(label), markdown.name(name), *(f"{images[split][name]:,}" for split in SPLITS)]
        for label, name in enumerate(facts.classes)
    ]
    headers = ["label", "class", *(f"{name} images" for name in SPLITS.values())]
    records, params = facts.training.records, facts.training.params
    leaves = _leaves(params.model_dump())
    settings = [[markdown.name(key), _setting(value)] for key, value in leaves if "model." not in key]
    made = [
        ["normalization of pixels", _setting(records.normalization.method)],
        ["augmentation", ", ".join(_operation(each) for each in records.augment) or "none"],
        ["augmented copies, one an epoch in turn", _setting(records.views)],
    ]
    ran = [[markdown.name(key), _setting(value)] for key, value in sorted(facts.environment.items())]
    return "\n\n".join(
        [
            f"{_splits(facts)} {_sizes(facts)} {_duplicates(facts)} {_contradictions(facts)}{_unused(facts)}",
            markdown.table(headers, rows, "Images by class"),
            "### Settings",
            _table(["records", ""], made),
            markdown.table(["setting", "value"], settings, "Training settings"),
            _table(["environment", ""], ran),
            "### Learning",
            _learning(facts),
            markdown.picture("Loss and accuracy by epoch", "learning_curves.png"),
        ]
    )


def _splits(facts: Facts) -> str:
    training, params = facts.training, facts.data["params"]
    images = _number(training.train_images, "image")
    source = f"{images} of the published training split of {_dataset(facts)}"
    if not training.val_images:
        return f"{source}; no validation images were set apart."
    rest = "" if params["test_fraction"] is None else " that the test images leave"
    return (
        f"{source}, and {training.val_images:,} for validation: "
        f"{markdown.percent(params['val_fraction'])} of each class's images{rest}, chosen at random."
    )


def _sizes(facts: Facts) -> str:
    if facts.data["params"]["image_size"] is None:
        return f"The images have their published size, {_size(facts)}."
    return f"The images were resized to {_size(facts)} (Pillow's bilinear filter, antialiased)."


def _duplicates(facts: Facts) -> str:
    found = {
        split: sum(
            len(positions) for key, positions in facts.data["repeated"][split].items() if key != "within"
        )
        for split in ("train", "val")
    }
    if not any(found.values()):
        return "No image stands in two splits, pixel for pixel."
    dropped = " and ".join(
        f"{_number(count, 'image')} from the {SPLITS[split]} split" for split, count in found.items() if count
    )
    return f"Dropped, because they also stand in another split, pixel for pixel: {dropped}."


def _contradictions(facts: Facts) -> str:
    found = facts.data["contradictions"]
    if not found["pictures"]:
        return "No picture is there under two classes."
    places = [_place(place) for place in found["places"][0]]
    more = "; reports/data.json has more of them" if found["pictures"] > 1 else ""
    many = f"**{_number(found['pictures'], 'picture')} there under several classes**, pixel for pixel"
    return f"{many}: the first is {' and '.join(places)}{more}."


def _place(place: Mapping[str, Any]) -> str:
    return f"{markdown.name(place['class'])} (image {place['position']:,}, {SPLITS[place['split']]})"


def _unused(facts: Facts) -> str:
    named = [
        f"{markdown.name(split)} ({_number(count, 'labelled image')})"
        for split, count in sorted(facts.data["unused"].items())
    ]
    return f" Published splits that are not used: {', '.join(named)}." if named else ""


def _learning(facts: Facts) -> str:
    history, planned = facts.history, facts.training.params.epochs
    ran = _number(len(history), "epoch")
    if len(history) < planned:
        ran += f" of {planned:,}, stopped because the validation accuracy no longer rose"
    if "val_accuracy" not in history:
        return f"Trained for {ran}, without validation images: the weights are those of the last epoch."
    best = history.sort_values(["val_accuracy", "val_loss"], ascending=[False, True], kind="stable").iloc[0]
    return (
        f"Trained for {ran}. Best validation accuracy: **{markdown.percent(best['val_accuracy'])}** on "
        f"{_number(facts.training.val_images, 'image')}, after epoch {int(best['epoch'])}, whose weights "
        f"are kept (training accuracy in that epoch: {markdown.percent(best['accuracy'])}). Being the best "
        "of several it flatters the model a little; the test accuracy does not."
    )


def _analyses(facts: Facts) -> str:
    return "\n\n".join(
        [
            _overall(facts),
            "### By class",
            _by_class(facts),
            "### Confusions",
            _confusions(facts),
            "### Calibration",
            _calibration(facts),
            "### How certain it is",
            _certainty(facts),
        ]
    )


def _overall(facts: Facts) -> str:
    numbers, macro = facts.metrics, facts.metrics["macro"]
    rows = [
        ["accuracy", _accuracy(facts)],
        ["top-2 accuracy", markdown.percent(numbers["top_2_accuracy"])],
        ["mean of the classes' recall", markdown.percent(macro["recall"])],
        ["mean of the classes' precision", markdown.percent(macro["precision"])],
        ["mean of the classes' F1", markdown.percent(macro["f1"])],
        ["loss (negative log-likelihood, nats)", f"{numbers['loss']:.4f}"],
        ["expected calibration error", f"{numbers['calibration_error']:.4f}"],
    ]
    return _table([f"on {_number(numbers['images'], 'test image')}", ""], rows)


def _by_class(facts: Facts) -> str:
    rows = []
    for label in _weakest_first(facts):
        name = facts.classes[label]
        numbers = facts.per_class[name]
        found, taken = facts.counts[label, label], facts.counts[:, label].sum()
        rows.append(
            [
                markdown.name(name),
                _share(numbers["recall"], found, numbers["support"], "no images"),
                _share(numbers["precision"], found, taken, "never predicted"),
                markdown.percent(numbers["f1"]),
                f"{numbers['support']:,}",
            ]
        )
    table = markdown.table(["class", "recall", "precision", "F1", "images"], rows, "All classes")
    return f"The class with the lowest recall first.\n\n{table}"


def _confusions(facts: Facts) -> str:
    found, classes = confusions.pairs(facts.counts), facts.classes
    picture = markdown.picture("Confusion matrix on the test images", "confusion_matrix.png")
    if not found:
        return f"No test image is taken for another class.\n\n{picture}"
    rows = [
        [
            f"{markdown.name(classes[actual])} taken for {markdown.name(classes[predicted])}",
            f"{images:,}",
            _share(None, images, facts.counts[actual].sum(), ""),
        ]
        for actual, predicted, images in found[:MOST_PAIRS]
    ]
    which = "All pairs" if len(found) <= MOST_PAIRS else f"The {MOST_PAIRS} commonest of {len(found):,} pairs"
    table = markdown.cut(["actual class", "images", "share of the class"], rows)
    return f"{which}; see also [confusions.md](confusions.md).\n\n{table}\n\n{picture}"


def _calibration(facts: Facts) -> str:
    confidence, numbers = float(facts.confidence.mean()), facts.metrics
    chance = calibration.error_by_chance(facts.calibration)
    return "\n\n".join(
        [
            f"{_verdict(facts)} Its mean confidence is {markdown.percent(confidence)}, its accuracy "
            f"{_accuracy(facts)}. The expected calibration error is {numbers['calibration_error']:.4f}; "
            f"confidences that are exactly right would show about {chance:.4f} on as many images, by chance.",
            markdown.picture("Accuracy against confidence", "reliability.png"),
        ]
    )


def _verdict(facts: Facts) -> str:
    confidence, numbers = float(facts.confidence.mean()), facts.metrics
    gap = f"{100 * abs(confidence - numbers['accuracy']):.2f} percentage points"
    if confidence > numbers["accuracy_high"]:
        return f"It is overconfident by {gap} on average: right less often than its probabilities say."
    if confidence < numbers["accuracy_low"]:
        return f"It is underconfident by {gap} on average: right more often than its probabilities say."
    return "On average it is neither over- nor underconfident, as far as these test images can show."


def _certainty(facts: Facts) -> str:
    rows = []
    for name, of_kind in (("right", facts.right), ("wrong", ~facts.right)):
        confidence = facts.confidence[of_kind]
        spread = ["none"] * 3
        if len(confidence):
            low, median, high = np.quantile(confidence, [0.1, 0.5, 0.9])
            spread = [
                markdown.percent(confidence.mean()),
                markdown.percent(median),
                f"{markdown.percent(low)} to {markdown.percent(high)}",
            ]
        rows.append([name, f"{len(confidence):,}", *spread])
    trusted = []
    for threshold in TRUSTED:
        kept = facts.confidence >= threshold
        images = int(kept.sum())
        trusted.append(
            [
                f"{threshold:.0%}".replace("%", " %"),
                f"{images:,} ({markdown.percent(images / len(kept))})",
                _share(None, facts.right[kept].sum(), images, "none"),
            ]
        )
    return "\n\n".join(
        [
            markdown.cut(["predictions", "images", "mean confidence", "median", "middle 80 %"], rows),
            "If only predictions of some confidence are trusted:",
            markdown.cut(["confidence at least", "images kept", "of these right"], trusted),
            "[predictions.png](predictions.png) shows test images with what the model says of them.",
        ]
    )


def _ethics(facts: Facts) -> str:
    return (
        "The pipeline does not know who or what is in the images, who took them, or who agreed to it: ask "
        f"the publisher of {_dataset(facts)}, whose licence binds you and whose biases the model inherits. "
        "Fairness across groups of people was not tested."
    )


def _caveats(facts: Facts) -> str:
    return _bullets(
        f"**Classes.** It knows these {len(facts.classes):,} and no other. {_weakest(facts)}",
        f"**Size.** It takes images of {_size(facts)}, nothing else. A larger picture has to be scaled down "
        "and loses detail.",
        f"**Source.** The test images come from {_dataset(facts)}, as the training images do. Expect a lower "
        "accuracy on images from elsewhere, and test some of them before use.",
        f"**Confidence.** {_verdict(facts)} That was measured on the test images and need not hold for "
        "others.",
        "**One model.** It was trained once, with one seed.",
        "**Not tested**: images of other sources; blurred, noisy, corrupted or deliberately altered images; "
        "images of none of the classes; classes in other proportions; fairness across groups.",
    )


def _weakest(facts: Facts) -> str:
    """The classes of which most is missed, if any is."""
    missed = [
        label
        for label in _weakest_first(facts)[:WEAKEST]
        if facts.counts[label, label] < facts.counts[label].sum()
    ]
    if not missed:
        return "It finds every test image of every class."
    recalls = []
    for label in missed:
        name, total = facts.classes[label], facts.counts[label].sum()
        recall = _share(facts.per_class[name]["recall"], facts.counts[label, label], total, "")
        recalls.append(f"{markdown.name(name)} {recall}")
    return f"The lowest recall: {', '.join(recalls)}."


def _weakest_first(facts: Facts) -> list[int]:
    """Labels by recall; ties in their own order."""
    recall = np.diag(facts.counts) / np.maximum(facts.counts.sum(axis=1), 1)
    return np.argsort(recall, kind="stable").tolist()


def _accuracy(facts: Facts) -> str:
    numbers = facts.metrics
    return _with_interval(numbers["accuracy"], numbers["accuracy_low"], numbers["accuracy_high"])


def _share(share: float | None, part: int, whole: int, nothing: str) -> str:
    """A share with its interval; `nothing` of no images. `share` is as the metrics round it, if they have "
    "it."""
    if not whole:
        return nothing
    return _with_interval(part / whole if share is None else share, *wilson.interval(int(part), int(whole)))


def _with_interval(share: float, low: float, high: float) -> str:
    return f"{markdown.percent(share)} ({100 * low:.2f} to {100 * high:.2f})"


def _architecture(facts: Facts) -> str:
    return markdown.name(facts.training.params.model["name"])


def _dataset(facts: Facts) -> str:
    return markdown.name(facts.data["dataset"])


def _size(facts: Facts) -> str:
    height, width, channels = facts.image_shape
    order = "" if height == width else " (height x width)"
    return f"{height} x {width} pixels{order} and {_number(channels, 'channel')}"


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(map(markdown.name, names[:NAMED_CLASSES]))
    return shown if len(names) <= NAMED_CLASSES else f"{shown} and {len(names) - NAMED_CLASSES:,} more"


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _operation(listed: Mapping[str, Mapping[str, Any] | None]) -> str:
    ((name, options),) = listed.items()
    settings = ", ".join(f"{key}={value}" for key, value in (options or {}).items())
    return markdown.name(f"{name}({settings})" if settings else name)


def _setting(value: object) -> str:
    if isinstance(value, list):
        return markdown.name(", ".join(map(str, value))) if value else "none"
    return markdown.name(str(value).lower()) if isinstance(value, bool) else markdown.value(value)


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Everything below a mapping that is not itself a mapping, by dotted key."""
    for key, value in sorted(values.items()):
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Two columns of words, both to the left."""
    return "\n".join(f"| {' | '.join(line)} |" for line in [headers, [":---"] * len(headers), *rows])


def _bullets(*sentences: str) -> str:
    return "\n".join(f"- {sentence}" for sentence in sentences)
