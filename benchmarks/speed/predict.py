"""Measure predict: pictures per second beside those of its decoder and of its model alone, and its memory.

    python -m benchmarks predict                     # 5,000 files of 500x375 with the model in data/model
    python -m benchmarks predict --count 100000
    python -m benchmarks predict --model own/data/model

The pictures are those of the benchmark pictures. The start, which loads TensorFlow and the model, is measured
with one picture and taken off. Decoder and model use all cores when each is alone. Where they share them, as
they do without a GPU, the rate of both together can only be 1 / (1 / decoder + 1 / model).
"""

import functools
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from benchmarks import child, machine, options
from benchmarks.speed import pictures, targets
from stages.decoding import picture
from stages.running import ahead, errors
from stages.serving import classify, forms, model_folder, places, predict

LEAST_SHARE = 0.8  # of the rate of both on shared cores
MOST_GROWTH = 64  # MiB, from a tenth of the pictures to all: their names
ALONE = 2_000  # pictures that the decoder is measured with, at most
MODEL_SECONDS = 10


def main(words: Sequence[str]) -> None:
    """Run the benchmark."""
    parser = options.parser("predict", __doc__)
    parser.add_argument("--count", type=int, default=5_000, help="of files")
    parser.add_argument("--model", type=Path, default=predict.MODEL, metavar="FOLDER")
    parser.add_argument("--output", type=Path, default=Path("reports/benchmarks/predict.json"))
    chosen = parser.parse_args(words)
    if chosen.count < 10:
        raise errors.BadInput(f"expected a --count of at least 10, received {chosen.count}")
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        measured = [each.as_json() for each in measure(Path(folder), chosen.count, chosen.model)]
    machine.publish(chosen.output, targets.render(measured), {"targets": measured})


def measure(folder: Path, count: int, model: Path) -> list[targets.Target]:
    """Measure decoder and model alone, then the command on one picture, on a tenth of all and on all."""
    size = pictures.write(folder / "images", count)
    files = sorted(map(str, (folder / "images").rglob("*.jpg")))
    trained = model_folder.load(model, picture.MAX_PIXELS)
    decoder = decoder_rate(files[:ALONE], trained.form)
    alone = model_rate(trained)
    start, tenth, whole = (_run(folder, files[:some], model) for some in (1, count // 10, count))
    rate = (count - 1) / max(whole.seconds - start.seconds, 1e-9)
    shared = 1 / (1 / decoder + 1 / alone)
    described = f"{count:,} files of {size / 1000:,.0f} kB on average"
    return [
        targets.Target(described, count, "at least", count, ""),
        targets.Target("decoder alone", decoder, "at least", 0, "pictures/s"),
        targets.Target("model alone", alone, "at least", 0, "pictures/s"),
        targets.Target("both, if they share the cores", shared, "at least", 0, "pictures/s"),
        targets.Target("predict", rate, "at least", LEAST_SHARE * shared, "pictures/s"),
        targets.Target("predict: start", start.seconds, "at most", 60, "s"),
        targets.Target("predict: memory", whole.peak_mib / pictures.GIB, "at most", 2, "GiB"),
        targets.Target(
            "predict: memory beyond that of a tenth",
            whole.peak_mib - tenth.peak_mib,
            "at most",
            MOST_GROWTH,
            "MiB",
        ),
    ]


def decoder_rate(files: Sequence[str], form: forms.Form) -> float:
    """Decode files as predict does, with all cores; return how many there are per second."""
    began = time.perf_counter()
    contents = places.contents([places.Place(list(files))])
    for _ in ahead.mapped(functools.partial(_pixels, form=form), contents):
        pass
    return len(files) / (time.perf_counter() - began)


def model_rate(trained: model_folder.Trained) -> float:
    """Let a model classify noise in batches as predict does; return how many pictures per second."""
    size = classify.batch_size(trained.form.shape)
    images = np.random.default_rng(0).integers(0, 256, (size, *trained.form.shape), np.uint8)
    trained.probabilities(images)  # builds its graph
    began, batches = time.perf_counter(), 0
    while not batches or time.perf_counter() - began < MODEL_SECONDS:
        trained.probabilities(images)
        batches += 1
    return batches * size / (time.perf_counter() - began)


def _pixels(content: places.Content, form: forms.Form) -> np.ndarray:
    return form.pixels(content.read())


def _run(folder: Path, files: Iterable[str], model: Path) -> child.Usage:
    listed = folder / "files.csv"
    listed.write_text("\n".join([predict.COLUMN, *files]) + "\n", encoding="utf-8")
    words = [sys.executable, "-m", "stages.serving.predict", "--model", model.absolute()]
    return child.run([*words, "--output", folder / "out.csv", "--", listed], child.PROJECT)
