"""Judge the model on the test split, once.

Reads data/model, data/records/test, reports/data.json and the training history; writes metrics,
predictions, pictures and a model card.
"""

import shutil
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import pandas as pd
import pydantic
import tensorflow as tf
from matplotlib.figure import Figure
from sklearn.metrics import confusion_matrix

from stages.explaining import activations, kernels
from stages.figures import canvas, convolution, feature_maps, filters, learning_curves, reliability
from stages.inputs import tfrecord
from stages.reporting import calibration, confusions, metrics, model_card
from stages.running import command, ellipsis, errors, outputs, paramfile

BATCH = 500  # images, or fewer if they are large
PROBABILITY_DECIMALS = 4
SUM_TOLERANCE = 0.05  # of float16 probabilities of a thousand classes
SHOWN_VALUES = 3  # in an error
NAMES = 200  # characters, in an error
LAYERS = 9  # in reports/feature_maps.png; a column each, more are too small to see


class FeatureMaps(paramfile.Section):
    """Which images go through the network in reports/feature_maps.png, and how much of it is shown."""

    classes: int = pydantic.Field(ge=1, le=10)
    images: int = pydantic.Field(ge=1, le=10)  # of each class
    channels: int = pydantic.Field(ge=1, le=64)  # of each layer


class Params(paramfile.Section):
    """What to report, and which accuracy is too low."""

    calibration_bins: int = pydantic.Field(ge=1)
    examples: int = pydantic.Field(ge=1, le=100)
    feature_maps: FeatureMaps
    min_accuracy: float = pydantic.Field(ge=0, le=1)


class Judged(NamedTuple):
    """The test split through the model's eyes: N images, n of them examples, m of them travellers."""

    probabilities: np.ndarray  # [N, K]
    labels: np.ndarray  # [N]
    positions: np.ndarray  # [N], in the published split
    examples: np.ndarray  # uint8 [n, H, W, C], spread over the split
    travellers: np.ndarray  # uint8 [m, H, W, C], whose way through the network is shown
    rows: np.ndarray  # [m], the travellers' among the N

    @property
    def predicted(self) -> np.ndarray:
        """Labels, int [N]."""
        return self.probabilities.argmax(axis=1)

    @property
    def confidence(self) -> np.ndarray:
        """The probability of the predicted class, [N]."""
        return self.probabilities.max(axis=1)


def evaluate(params: Params, model: Path, records: Path, data: Path, history: Path, reports: Path) -> None:
    """Write numbers (JSON and CSV), words (Markdown) and pictures (PNG) to `reports`.

    The model's summary and training environment, which data/model keeps out of Git, go there too.

    Raises:
        errors.BadInput: the model or `data` does not fit the records, what the model gives are no
            probabilities, or the accuracy is below `params.min_accuracy` (the reports are written all
            the same).
    """
    manifest = tfrecord.read_manifest(records)
    classifier = _load(model / "model.keras", manifest)
    known = _known(model, data, manifest)
    learning = pd.read_csv(history).dropna(axis="columns", how="all")  # empty: nothing validated
    judged = _predict(classifier, records, manifest, params)
    _demand_probabilities(judged.probabilities, model / "model.keras")
    facts = model_card.Facts(
        **known,
        image_shape=manifest["image_shape"],
        history=learning,
        **_measured(judged, classifier, manifest["classes"], params.calibration_bins),
    )
    _write_numbers(reports, facts, judged)
    _write_words(reports, facts, model)
    _write_pictures(reports, facts, judged, classifier, params)
    _demand_accuracy(facts.metrics, params.min_accuracy)


def _measured(judged: Judged, classifier: keras.Model, classes: list[str], bins: int) -> dict[str, Any]:
    """The facts that the test split gives."""
    actual, predicted, probabilities = judged.labels, judged.predicted, judged.probabilities
    numbers = metrics.evaluate(actual, probabilities, classes, bins)
    return {
        "metrics": numbers | {"parameters": classifier.count_params()},
        "per_class": metrics.per_class(actual, predicted, classes),
        "counts": confusion_matrix(actual, predicted, labels=range(len(classes))),
        "confidence": judged.confidence.astype(np.float64),
        "right": actual == predicted,
        "calibration": calibration.bins(actual, probabilities, bins),
    }


def _write_numbers(reports: Path, facts: model_card.Facts, judged: Judged) -> None:
    outputs.write_json(reports / "metrics.json", facts.metrics)
    outputs.write_json(reports / "per_class.json", facts.per_class, sort_keys=False)
    names = np.array(facts.classes)
    predictions = pd.DataFrame(
        {
            "index": judged.positions,
            "actual": names[judged.labels],
            "predicted": names[judged.predicted],
            "probability": judged.confidence.round(PROBABILITY_DECIMALS),
        }
    )
    tables = {"predictions.csv": predictions, "confusions.csv": confusions.table(facts.counts, facts.classes)}
    for name, table in tables.items():
        with outputs.file(reports / name) as partial:
            table.to_csv(partial, index=False, lineterminator="\n", float_format=f"%.{PROBABILITY_DECIMALS}f")


def _write_words(reports: Path, facts: model_card.Facts, model: Path) -> None:
    words = {
        "confusions.md": confusions.text(facts.counts, facts.classes),
        "model_card.md": model_card.text(facts),
    }
    for name, text in words.items():
        with outputs.file(reports / name) as partial:
            partial.write_text(text, encoding="utf-8")
    for source, name in (("summary.txt", "model_summary.txt"), ("environment.json", "environment.json")):
        with outputs.file(reports / name) as partial:
            shutil.copyfile(model / source, partial)


def _write_pictures(
    reports: Path, facts: model_card.Facts, judged: Judged, classifier: keras.Model, params: Params
) -> None:
    first = facts.classes[judged.labels[judged.rows[0]]]
    pictures = {
        "confusion_matrix.png": canvas.confusion_matrix(facts.counts, facts.classes),
        "learning_curves.png": learning_curves.figure(facts.history),
        "predictions.png": _examples(judged, facts.classes, params.examples),
        "convolution.png": convolution.figure(judged.travellers[0], first),
        "feature_maps.png": _feature_maps(classifier, judged, facts.classes, params.feature_maps.channels),
        "filters.png": _filters(classifier),
        "reliability.png": reliability.figure(facts.calibration),
    }
    for name, figure in pictures.items():
        with outputs.file(reports / name) as partial:
            canvas.save(figure, partial)


def _demand_probabilities(probabilities: np.ndarray, path: Path) -> None:
    """Refuse NaN, and the scores of a model without a softmax."""
    wrong = ~(probabilities >= 0).all(axis=1) | ~(np.abs(probabilities.sum(axis=1) - 1) < SUM_TOLERANCE)
    if wrong.any():
        first = ", ".join(map(str, probabilities[wrong][0, :SHOWN_VALUES]))
        raise errors.BadInput(
            f"{path}: expected probabilities that add up to 1 for each image, received {first} for"
            f" {wrong.sum():,} of {len(wrong):,} images; train the model again, with a lower learning rate if"
            " these are nan"
        )


def _demand_accuracy(numbers: dict[str, Any], least: float) -> None:
    print(f"test accuracy {numbers['accuracy']:.4f} on {numbers['images']:,} images")
    if numbers["accuracy"] < least:
        raise errors.BadInput(
            f"expected an accuracy of at least evaluate.min_accuracy = {least},"
            f" received {numbers['accuracy']}"
        )


def _known(model: Path, data: Path, manifest: dict) -> dict[str, Any]:
    """What earlier stages say of the data and of the training."""
    said = outputs.read_json(data)
    if said["classes"] != manifest["classes"]:
        expected, received = (ellipsis.cut(", ".join(each["classes"]), NAMES) for each in (manifest, said))
        raise errors.BadInput(f"{data}: expected the records' classes, {expected}; received {received}")
    of_model = {name: outputs.read_json(model / f"{name}.json") for name in ("training", "environment")}
    return {"data": said, **of_model}


def _examples(judged: Judged, classes: list[str], count: int) -> Figure:
    rows = _example_rows(len(judged.labels), count)
    probabilities = judged.confidence[rows].round(PROBABILITY_DECIMALS)
    actual, predicted = judged.labels[rows].tolist(), judged.predicted[rows].tolist()
    return canvas.predictions(judged.examples, actual, predicted, probabilities.tolist(), classes)


def _feature_maps(classifier: keras.Model, judged: Judged, classes: list[str], channels: int) -> Figure:
    layers = activations.feature_maps(classifier, judged.travellers, LAYERS, channels)
    rows = judged.rows
    return feature_maps.figure(
        judged.travellers, judged.labels[rows].tolist(), layers, judged.probabilities[rows], classes
    )


def _filters(classifier: keras.Model) -> Figure:
    if found := kernels.first(classifier):
        return filters.figure(found.layer, found.values)
    return canvas.note("No filters: the network has neither a convolution nor a dense layer on the pixels.")


def _load(path: Path, manifest: dict) -> keras.Model:
    try:
        classifier = keras.models.load_model(path, compile=False)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise errors.BadInput(f"{path}: expected a Keras model: {error}") from error
    expected = (tuple(manifest["image_shape"]), len(manifest["classes"]))
    received = (tuple(classifier.input_shape[1:]), classifier.output_shape[-1])
    if received != expected:
        raise errors.BadInput(
            f"{path}: expected a model for images {expected[0]} and {expected[1]} classes,"
            f" received one for images {received[0]} and {received[1]} classes"
        )
    if damaged := [weight.path for weight in classifier.weights if np.isnan(np.asarray(weight)).any()]:
        raise errors.BadInput(f"{path}: expected finite weights, received NaN in {damaged[0]}; train again")
    return classifier


def _predict(classifier: keras.Model, records: Path, manifest: dict, params: Params) -> Judged:
    step = tf.function(lambda images: classifier(images, training=False), reduce_retracing=True)
    wanted = _example_rows(manifest["count"], params.examples)
    parts: list[Judged] = []
    taken: dict[int, int] = {}
    first = 0
    data = tfrecord.dataset(records, manifest, tfrecord.batch_size(manifest, BATCH))
    for images, labels, positions in tfrecord.batches(data, records):
        pixels = images.numpy()
        examples = wanted[(wanted >= first) & (wanted < first + len(pixels))] - first
        travellers = _first_of_classes(labels.numpy(), taken, params.feature_maps)
        parts.append(
            Judged(
                step(images).numpy(),
                labels.numpy(),
                positions.numpy(),
                pixels[examples],
                pixels[travellers],
                travellers + first,
            )
        )
        first += len(pixels)
    judged = Judged(*(np.concatenate(part) for part in zip(*parts, strict=True)))
    found, different = len(judged.positions), len(np.unique(judged.positions))
    if not found == different == manifest["count"]:
        raise errors.BadInput(
            f"{records}: expected {manifest['count']:,} images, received {found:,}, {different:,} of them"
            " different; rerun the records stage"
        )
    by_class = np.argsort(judged.labels[judged.rows], kind="stable")
    return judged._replace(travellers=judged.travellers[by_class], rows=judged.rows[by_class])


def _first_of_classes(labels: np.ndarray, taken: dict[int, int], wanted: FeatureMaps) -> np.ndarray:
    """Rows of the first images of the first classes to appear; `taken` counts them from batch to batch."""
    rows = []
    for row, label in enumerate(labels.tolist()):
        count = taken.get(label, 0)
        if count < wanted.images and (label in taken or len(taken) < wanted.classes):
            taken[label] = count + 1
            rows.append(row)
    return np.array(rows, int)


def _example_rows(count: int, examples: int) -> np.ndarray:
    """Rows spread evenly over the split."""
    return np.unique(np.linspace(0, count - 1, min(examples, count)).round().astype(int))


if __name__ == "__main__":
    command.run(evaluate, Params)
