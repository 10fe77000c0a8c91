"""Measure how fast data gets from its source to the training step, and in how much memory.

    python -m benchmarks data_path                          # all of it, with a training of the default
    python -m benchmarks data_path --only rates imports     # a part

Rates are those of this process; memory and times are those of the stages as `dvc repro` starts them.
"""

import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import tensorflow as tf
from ruamel.yaml import YAML

from benchmarks import machine, options, scratch
from benchmarks.speed import child, images, targets
from stages import records
from stages.inputs import tfrecord
from stages.running import outputs, paramfile
from stages.sources import cache

DEFAULT = Path("params.yaml")
DIGITS = Path("configs/digits.yaml")
IMAGES = 14_250  # of the default's training split
FEW_IMAGES = 5_000
MANY = 10  # times FEW_IMAGES
READING_BATCH = 250
REPEATS = 5  # of what takes a second or so; the median counts

DVC = [sys.executable, "-m", "dvc"]

yaml = YAML()


def main(words: Sequence[str]) -> None:
    """Run the benchmark."""
    parser = options.parser("data_path", __doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--output", type=Path, default=Path("reports/benchmarks/data_path.json"))
    chosen = parser.parse_args(words)
    tf.config.set_visible_devices([], "GPU")
    measured = []
    for part in chosen.only:
        print(f"measuring {part}", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
            measured += [each.as_json() for each in PARTS[part](Path(folder))]
    described = machine.describe()
    outputs.write_json(chosen.output, {"machine": described, "targets": measured})
    print(f"{machine.line(described)}\n\n{targets.render(measured)}")


def rates(folder: Path, count: int = IMAGES) -> list[targets.Target]:
    """Images per second through the records stage with the default's augmentation, and back in
    batches: medians. The stage's figure and the fit of the normalization are part of it."""
    images.write(folder / "subset", count)
    params = paramfile.read(records.Params, "records", DEFAULT)
    seconds = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        records.records(params, folder / "subset", folder / "records", folder / "figure.png")
        seconds.append(time.perf_counter() - began)
    built = count * params.views / statistics.median(seconds)
    split = tfrecord.Split(folder / "records/train")
    read = [_reading_rate(split) for _ in range(REPEATS)]
    return [
        targets.Target("records stage, augmented", built, "at least", 50_000, "images/s"),
        targets.Target("reading in batches", statistics.median(read), "at least", 250_000, "images/s"),
    ]


def _reading_rate(split: tfrecord.Split) -> float:
    """An epoch for each view, as a training reads them."""
    began = time.perf_counter()
    batches = split.batches(READING_BATCH, range(split.manifest.views))
    count = sum(len(labels) for _, labels, _ in batches)
    return count / (time.perf_counter() - began)


def memory(folder: Path, few: int = FEW_IMAGES) -> list[targets.Target]:
    """Measure the peak memory of the stages that see every image, with many images over that with few."""
    peaks: dict[str, list[float]] = {"records": [], "train": []}
    for count in (few, MANY * few):
        data = folder / str(count)
        images.write(data / "subset", count)
        _write_params(data / "params.yaml")
        for stage in peaks:
            peaks[stage].append(child.run(_stage(stage, data), scratch.PROJECT).peak_mib)
    return [
        targets.Target(
            f"peak memory of {stage}, {MANY * few:,} images over {few:,} ({low:,.0f} MiB)",
            high / low,
            "at most",
            1.05,
            "times",
        )
        for stage, (low, high) in peaks.items()
    ]


def _write_params(path: Path) -> None:
    """The default's records in one view, and a model so small that data are what takes memory."""
    document = yaml.load(DEFAULT)
    document["records"]["views"] = 1
    document["train"].update(yaml.load(DIGITS)["train"] | {"epochs": 1, "batch_size": 250})
    document["train"]["model"] = {"name": "dense", "units": [], "dropout": 0.0}
    document["train"]["schedule"]["warmup_epochs"] = 0.0
    yaml.dump(document, path)


def _stage(name: str, data: Path) -> list[str | Path]:
    paths = {
        "records": ["subset", "records", "training_images.png"],
        "train": ["records/train", "records/val", "model", "history.csv"],
    }
    files = [data / path for path in paths[name]]
    return [sys.executable, "-m", f"stages.{name}", *files, "--params", data / "params.yaml"]


def imports(folder: Path) -> list[targets.Target]:
    """Measure how long the stages that need no TensorFlow take to start."""
    return [
        targets.Target(f"start of {stage}", _import_seconds(stage), "at most", 0.5, "s")
        for stage in ("download", "subset")
    ]


def _import_seconds(stage: str) -> float:
    command = [sys.executable, "-c", f"import stages.{stage}"]
    return statistics.median(child.run(command, scratch.PROJECT).seconds for _ in range(REPEATS))


def nothing_to_do(folder: Path) -> list[targets.Target]:
    """Measure a `dvc repro` right after another."""
    tree = checkout(folder, DIGITS).tree
    child.run([*DVC, "repro"], tree)
    seconds = statistics.median(child.run([*DVC, "repro"], tree).seconds for _ in range(REPEATS))
    return [targets.Target("dvc repro with nothing to do", seconds, "at most", 2, "s")]


def default(folder: Path) -> list[targets.Target]:
    """The default's `dvc repro` from the user's cache: its road to the records, and how much of all of it
    is not training; not measured if the cache lacks the dataset."""
    dataset = yaml.load(DEFAULT)["download"]["dataset"]["name"]
    to_records = share = None
    if (cache.folder() / dataset).is_dir():
        tree = checkout(folder, DEFAULT)
        to_records = child.run([*DVC, "repro", "records"], tree.tree).seconds
        rest = child.run([*DVC, "repro"], tree.tree).seconds
        share = 1 - outputs.read_json(tree.timing)["training"] / (to_records + rest)
    return [
        targets.Target("download, subset and records, cached", to_records, "at most", 25, "s"),
        targets.Target("share of dvc repro that is not training, cached", share, "at most", 0.2, ""),
    ]


def checkout(folder: Path, params: Path) -> scratch.Scratch:
    """Copy the project with a params file; data and DVC's cache start empty."""
    copy = scratch.checkout(scratch.PROJECT, folder)
    shutil.copyfile(params, copy.tree / "params.yaml")
    return copy


PARTS: dict[str, Callable[[Path], list[targets.Target]]] = {
    "rates": rates,
    "memory": memory,
    "imports": imports,
    "nothing_to_do": nothing_to_do,
    "default": default,
}
