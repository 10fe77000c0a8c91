"""Export the model to another format, run the export at once, and keep it only if it answers as the model.

The model computes in float32 then, whatever it was trained in. Exit status: 1 where nothing was exported.
"""

import argparse
import functools
import importlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from stages.classifier import provenance, saving
from stages.inputs import encoded, manifest, tfrecord
from stages.running import ellipsis, ending, errors, options, outputs, progress
from stages.serving import facts, float32, job, looks, parity, picture_parity, pixels_only

FORMATS = ("saved_model", "onnx", "litert")  # files of this folder
NAMES = 200  # characters, in an error
SAMPLES = 200  # training images that quantization looks at


def main() -> None:
    """Write the export that the command line asks for, and say how it compares."""
    arguments = _arguments()
    with ending.told("export", interrupted="interrupted; nothing half-written was kept"):
        _export(arguments)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m stages.serving.export", description=__doc__)
    parser.add_argument("format", choices=FORMATS)
    parser.add_argument("--model", type=Path, default=Path("data/model"), metavar="FOLDER")
    parser.add_argument(
        "--output", type=Path, metavar="FOLDER", help="what is written; exports/FORMAT unless given"
    )
    parser.add_argument("--int8", action="store_true", help="whole numbers of 8 bits instead of float32")
    parser.add_argument(
        "--looks", type=int, metavar="N", help="at an image, 1, 2 or 6; as the model was trained unless given"
    )
    parser.add_argument(
        "--test", type=Path, default=Path("data/records/test"), metavar="FOLDER", help="records to compare on"
    )
    parser.add_argument(
        "--train",
        type=Path,
        default=Path("data/records/train"),
        metavar="FOLDER",
        help="records that --int8 finds its ranges by",
    )
    arguments = options.parse(parser)
    if arguments.int8 and arguments.format != "litert":
        parser.error(f"--int8 is for litert only, received {arguments.format}")
    if arguments.output is None:
        arguments.output = Path("exports") / f"{arguments.format}{'-int8' if arguments.int8 else ''}"
    return arguments


def _export(arguments: argparse.Namespace) -> None:
    tf.config.set_visible_devices([], "GPU")  # they multiply float32 with 10 bits after the point (TF32)
    chosen = _format(arguments.format)
    output = Path(os.path.abspath(arguments.output))
    facts.require_replaceable(output)
    training = provenance.read(arguments.model)
    test = _split(arguments.test, "--test", training.classes)
    file, shape = arguments.model / "model.keras", test.manifest.image_shape
    saved = looks.reduced(saving.load(file, shape, len(training.classes)), arguments.looks)
    known = facts.gather(file, training, arguments.format, shape, looks.of(saved), arguments.int8)
    model = float32.rebuilt(saved)
    with outputs.folder(output) as partial:
        train = _split(arguments.train, "--train", training.classes, shape) if arguments.int8 else test
        samples = functools.partial(_samples, train)
        chosen.write(job.Job(_servable(saved, arguments.int8), known, samples), partial)
        exported = chosen.load(partial)
        parity.require_classes(training.classes, exported.classes)
        compared = _compare(saved, model, exported, test, known)
        size = sum(path.stat().st_size for path in partial.rglob("*") if path.is_file())
    looks_at = f"{known.looks} look{'' if known.looks == 1 else 's'} at an image"
    print(f"{arguments.output}: {size / 1e6:.2f} MB, {known.precision}, {looks_at}")
    print("\n".join(compared))


def _format(name: str) -> ModuleType:
    try:
        return importlib.import_module(f"stages.serving.{name}")
    except ModuleNotFoundError as error:
        raise errors.BadInput(
            f"{name} needs the package {error.name}, which is not installed; run"
            " `pip install -r requirements-export.txt`"
        ) from error


def _split(folder: Path, option: str, classes: list[str], shape: list[int] | None = None) -> tfrecord.Split:
    if not (folder / manifest.FILE).is_file():
        raise errors.BadInput(
            f"{option}: expected the records that an export is compared on, or finds its ranges by, at"
            f" {folder}, found none; run `dvc repro records` or `dvc pull records`, or name another folder"
        )
    split = encoded.read(folder)
    known = split.manifest
    expected, received = (shape or known.image_shape, classes), (known.image_shape, known.classes)
    if expected != received:
        of_model, of_records = (
            f"{ellipsis.cut(', '.join(names), NAMES)} as images {sides}"
            for sides, names in (expected, received)
        )
        raise errors.BadInput(f"{option}: expected records of {of_model}; received {of_records}")
    return split


def _servable(saved: keras.Model, int8: bool) -> keras.Model:
    model = float32.without_normalization(pixels_only.of(saved) if int8 else saved)
    return keras.Model(model.input, {facts.PROBABILITIES: model.output})


def _samples(train: tfrecord.Split) -> Iterator[np.ndarray]:
    """Yield training images, float32 [1, H, W, C] each."""
    with progress.bar(min(SAMPLES, train.manifest.count), "quantizing", "images") as bar:
        images = itertools.chain.from_iterable(batch.numpy() for batch, _, _ in train.batches(parity.BATCH))
        for image in progress.counted(itertools.islice(images, SAMPLES), bar):
            yield image[None].astype(np.float32)


def _compare(
    saved: keras.Model, model: keras.Model, exported: Any, test: tfrecord.Split, known: facts.Facts
) -> list[str]:
    """Compare an export with the model, and say how it compares."""
    images = parity.chosen(test)
    judge = parity.of_keras(model)
    expected = parity.judged(judge, images)
    parity.require_float32_is_the_model(parity.judged(parity.of_keras(saved), images), expected)
    if known.precision == "int8":
        found = parity.require_accuracy((judge, exported.probabilities), test)
        return [
            f"accuracy {found.exported:.4f} on {found.images:,} test images; {found.model:.4f} in float32"
        ]
    received = parity.judged(exported.probabilities, images)
    largest = parity.require_same(expected, received, f"{len(images)} test images")
    said = [f"{len(images)} test images: the model's classes, and its probabilities to {largest:.1e}"]
    if exported.pictures:
        away = picture_parity.require_pictures(judge, exported.pictures, images, known.form, known.classes)
        said.append(
            f"pictures as PNG files: the pipeline's pixels, on average {away:.2f} levels away at most"
        )
    return said


if __name__ == "__main__":
    main()
