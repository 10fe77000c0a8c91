"""Judge the model on the test split, once.

Reads data/model, data/records/test and the training history; writes metrics, predictions and
pictures.
"""

import shutil
import zipfile
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pydantic
import tensorflow as tf
from sklearn.metrics import confusion_matrix

from stages.inputs import tfrecord
from stages.reporting import figures, metrics
from stages.running import command, errors, outputs, paramfile

BATCH = 500  # images
PROBABILITY_DECIMALS = 4


class Params(paramfile.Section):
    """What to report, and which accuracy is too low."""

    calibration_bins: int = pydantic.Field(ge=1)
    examples: int = pydantic.Field(ge=1, le=100)
    min_accuracy: float = pydantic.Field(ge=0, le=1)


def evaluate(params: Params, model: Path, records: Path, history: Path, reports: Path) -> None:
    """Write metrics.json, predictions.csv and the pictures to the folder `reports`.

    The model's summary and training environment, which data/model keeps out of Git, go there too.

    Raises:
        errors.BadInput: the model does not fit the records, or its accuracy is below
            `params.min_accuracy` (the reports are written all the same).
    """
    manifest = tfrecord.read_manifest(records)
    classifier = _load(model / "model.keras", manifest)
    probabilities, actual, positions, examples = _predict(classifier, records, manifest, params.examples)
    predicted = probabilities.argmax(axis=1)
    classes = manifest["classes"]
    numbers = metrics.evaluate(actual, probabilities, classes, params.calibration_bins)
    numbers["parameters"] = classifier.count_params()
    outputs.write_json(reports / "metrics.json", numbers)
    names = np.array(classes)
    table = pd.DataFrame(
        {
            "index": positions,
            "actual": names[actual],
            "predicted": names[predicted],
            "probability": probabilities.max(axis=1).round(PROBABILITY_DECIMALS),
        }
    )
    with outputs.file(reports / "predictions.csv") as partial:
        table.to_csv(partial, index=False, lineterminator="\n", float_format=f"%.{PROBABILITY_DECIMALS}f")
    counts = confusion_matrix(actual, predicted, labels=range(len(classes)))
    shown = table.iloc[_example_rows(len(table), params.examples)]
    pictures = {
        "confusion_matrix.png": figures.confusion_matrix(counts, classes),
        "learning_curves.png": figures.learning_curves(pd.read_csv(history)),
        "predictions.png": figures.predictions(
            examples, shown["actual"].tolist(), shown["predicted"].tolist(), shown["probability"].tolist()
        ),
    }
    for name, figure in pictures.items():
        with outputs.file(reports / name) as partial:
            figures.save(figure, partial)
    for source, name in (("summary.txt", "model_summary.txt"), ("environment.json", "environment.json")):
        with outputs.file(reports / name) as partial:
            shutil.copyfile(model / source, partial)
    print(f"test accuracy {numbers['accuracy']:.4f} on {len(actual):,} images")
    if numbers["accuracy"] < params.min_accuracy:
        raise errors.BadInput(
            f"expected an accuracy of at least evaluate.min_accuracy = {params.min_accuracy},"
            f" received {numbers['accuracy']}"
        )


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
    return classifier


def _predict(
    classifier: keras.Model, records: Path, manifest: dict, examples: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities [N, K], labels [N], positions [N], and the example images, over the test split."""
    step = tf.function(lambda images: classifier(images, training=False), reduce_retracing=True)
    wanted = _example_rows(manifest["count"], examples)
    parts, first = [], 0
    data = tfrecord.dataset(records, manifest, BATCH)
    for images, labels, positions in tfrecord.batches(data, records):
        inside = wanted[(wanted >= first) & (wanted < first + len(labels))] - first
        parts.append((step(images).numpy(), labels.numpy(), positions.numpy(), images.numpy()[inside]))
        first += len(labels)
    probabilities, labels, positions, shown = (np.concatenate(part) for part in zip(*parts, strict=True))
    return probabilities, labels, positions, shown


def _example_rows(count: int, examples: int) -> np.ndarray:
    """Rows spread evenly over the split."""
    return np.unique(np.linspace(0, count - 1, min(examples, count)).round().astype(int))


if __name__ == "__main__":
    command.run(evaluate, Params)
