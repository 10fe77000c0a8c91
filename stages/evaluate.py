"""Judge the model on the test split, once.

Reads data/model, data/records/test, reports/data.json and the training history; writes metrics,
predictions, pictures and a model card.
"""

import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pydantic
from matplotlib.figure import Figure

from stages.classifier import history as curves
from stages.classifier import provenance, saving, validation
from stages.explaining import activations, kernels, predictions, probabilities
from stages.figures import (
    canvas,
    confusion_matrix,
    convolution,
    examples,
    feature_maps,
    filters,
    learning_curves,
    precision_recall,
    reliability,
    risk_coverage,
)
from stages.inputs import data_report, tfrecord
from stages.reporting import averages, confusions, measured, model_card
from stages.running import command, ellipsis, errors, outputs, paramfile

PROBABILITY_DECIMALS = 4
NAMES = 200  # characters, in an error
LAYERS = 9  # in reports/feature_maps.png; a column each, more are too small to see


class FeatureMaps(paramfile.Section):
    """Parameters of reports/feature_maps.png: which images go through the network, and what is shown."""

    classes: int = pydantic.Field(ge=1, le=10)
    images: int = pydantic.Field(ge=1, le=10)  # of each class
    channels: int = pydantic.Field(ge=1, le=64)  # of each layer


class Params(paramfile.Section):
    """Parameters: what to report, and which accuracy is too low."""

    calibration_bins: int = pydantic.Field(ge=1)
    examples: int = pydantic.Field(ge=1, le=100)
    feature_maps: FeatureMaps
    target_precision: float | None = pydantic.Field(gt=0, lt=1)
    min_accuracy: float = pydantic.Field(ge=0, le=1)


def evaluate(params: Params, model: Path, records: Path, data: Path, history: Path, reports: Path) -> None:
    """Write numbers (JSON, CSV and Parquet), words (Markdown) and pictures (PNG) to `reports`.

    The model's summary and training environment, which data/model keeps out of Git, go there too.

    Raises:
        errors.BadInput: the model or `data` does not fit the records, or what the model gives are no
            probabilities.
        errors.BelowFloor: the accuracy is below `params.min_accuracy`; the reports are written nevertheless.
    """
    split = tfrecord.Split(records)
    classes = split.manifest.classes
    known = _known(model, data, classes)
    learning = curves.read(history)
    file = model / provenance.MODEL
    classifier = saving.load(file, split.manifest.image_shape, len(classes))
    judged = predictions.predict(classifier, split)
    predictions.require_probabilities(judged.probabilities, file)
    answers, calibrated = (judged.labels, judged.probabilities), known["training"].calibration
    found = averages.measure(*answers)
    temperature = calibrated and calibrated.temperature
    numbers = measured.measure(*answers, found, classes, params.calibration_bins, temperature)
    numbers["metrics"]["parameters"] = classifier.count_params()
    facts = model_card.Facts(**known, image_shape=split.manifest.image_shape, history=learning, **numbers)
    if params.target_precision is not None:
        answered = validation.read(model)
        facts = measured.select(facts, answered.confidence, answered.right, params.target_precision)
    _write_numbers(reports, facts, judged)
    _write_words(reports, facts, model, judged.confused)
    shown = params.feature_maps
    spread = predictions.spread(len(judged.labels), params.examples)
    first = predictions.first_of_classes(judged.labels, shown.classes, shown.images)
    pixels = predictions.images(split, np.concatenate([spread, first]))
    pictures = {
        "confusion_matrix.png": confusion_matrix.figure(facts.counts, classes),
        "learning_curves.png": learning_curves.figure(learning),
        "predictions.png": _examples(pixels[: len(spread)], judged.take(spread), classes, len(judged.labels)),
        "filters.png": _filters(classifier),
        "precision_recall.png": precision_recall.figure(*answers, found.average_precision[:, 0], classes),
        "reliability.png": reliability.figure(facts.calibration, facts.uncalibrated),
        "risk_coverage.png": risk_coverage.figure(
            facts.confidence, facts.right, params.target_precision, facts.threshold
        ),
        **_ways_through(classifier, pixels[len(spread) :], judged.take(first), classes, shown.channels),
    }
    for name, figure in pictures.items():
        with outputs.file(reports / name) as partial:
            canvas.save(figure, partial)
    _demand_accuracy(facts.metrics, params.min_accuracy)


def _write_numbers(reports: Path, facts: model_card.Facts, judged: predictions.Predictions) -> None:
    outputs.write_json(reports / "metrics.json", facts.metrics)
    outputs.write_json(reports / "per_class.json", facts.per_class, sort_keys=False)
    with outputs.file(reports / "probabilities.parquet") as partial:
        probabilities.write(partial, judged, facts.classes)
    tables = {
        "predictions.csv": judged.table(facts.classes, PROBABILITY_DECIMALS),
        "confusions.csv": confusions.table(facts.counts, facts.classes),
    }
    for name, table in tables.items():
        with outputs.file(reports / name) as partial:
            table.to_csv(partial, index=False, lineterminator="\n", float_format=f"%.{PROBABILITY_DECIMALS}f")


def _write_words(reports: Path, facts: model_card.Facts, model: Path, files: confusions.Files) -> None:
    words = {
        "confusions.md": confusions.text(facts.counts, facts.classes, files),
        "model_card.md": model_card.text(facts),
    }
    for name, text in words.items():
        with outputs.file(reports / name) as partial:
            partial.write_text(text, encoding="utf-8")
    for source, name in (("summary.txt", "model_summary.txt"), (provenance.ENVIRONMENT, "environment.json")):
        with outputs.file(reports / name) as partial:
            shutil.copyfile(model / source, partial)


def _demand_accuracy(numbers: dict[str, Any], least: float) -> None:
    print(f"test accuracy {numbers['accuracy']:.4f} on {numbers['images']:,} images")
    if numbers["accuracy"] < least:
        raise errors.BelowFloor(
            f"expected an accuracy of at least evaluate.min_accuracy = {least},"
            f" received {numbers['accuracy']}"
        )


def _known(model: Path, data: Path, classes: list[str]) -> dict[str, Any]:
    """Read what earlier stages say of the data and of the training."""
    described, training = data_report.read(data), provenance.read(model)
    for path, found in ((data, described.classes), (model / provenance.FILE, training.classes)):
        if found != classes:
            expected, received = (ellipsis.cut(", ".join(each), NAMES) for each in (classes, found))
            raise errors.BadInput(f"{path}: expected the records' classes, {expected}; received {received}")
    environment = provenance.read_environment(model)
    return {"data": described.model_dump(by_alias=True), "training": training, "environment": environment}


def _examples(pixels: np.ndarray, shown: predictions.Predictions, classes: list[str], total: int) -> Figure:
    probabilities = shown.confidence.round(PROBABILITY_DECIMALS).tolist()
    answers = shown.labels.tolist(), shown.predicted.tolist(), probabilities
    return examples.figure(pixels, *answers, classes, total, shown.paths)


def _ways_through(
    model: keras.Model, pixels: np.ndarray, shown: predictions.Predictions, classes: list[str], channels: int
) -> dict[str, Figure]:
    """Draw how a few images pass through the network, and a convolution of one of them."""
    labels, layers = shown.labels.tolist(), activations.feature_maps(model, pixels, LAYERS, channels)
    return {
        "convolution.png": convolution.figure(pixels[0], classes[labels[0]]),
        "feature_maps.png": feature_maps.figure(
            pixels, labels, layers, shown.probabilities, classes, shown.paths
        ),
    }


def _filters(classifier: keras.Model) -> Figure:
    if first := kernels.first(classifier):
        return filters.figure(first.layer, first.values)
    return canvas.note("No filters: the network has neither a convolution nor a dense layer on the pixels.")


if __name__ == "__main__":
    command.run(evaluate, Params)
