"""Measure how fast data gets from its source to the training step, and in how much memory.

    python -m benchmarks data_path                          # all of it, with a training of the default
    python -m benchmarks data_path --only rates imports     # a part

Rates are those of this process; memory and times are those of the stages as `dvc repro` starts them.
"""

import collections
import statistics
import sys
import tempfile
import timeit
from collections.abc import Callable, Sequence
from pathlib import Path

import tensorflow as tf
from ruamel.yaml import YAML

from benchmarks import child, machine, options, scratch
from benchmarks.speed import images, targets
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
STAGES = {stage: child.FILES[stage] for stage in ("records", "train")}  # that see every image

yaml = YAML(typ="safe")


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
    machine.publish(chosen.output, targets.render(measured), {"targets": measured})


def rates(folder: Path, count: int = IMAGES) -> list[targets.Target]:
    """Images per second through the records stage with the default's augmentation, and back in
    batches: medians. The stage's figure and the fit of the normalization are part of it."""
    images.write(folder / "subset", count)
    params = paramfile.read(records.Params, "records", DEFAULT)
    places = folder / "raw", folder / "subset", folder / "records", folder / "figure.png"
    built = _median_seconds(lambda: records.records(params, *places))
    epochs = range(params.views)  # as a training reads them
    split = tfrecord.Split(folder / "records/train")
    read = _median_seconds(lambda: collections.deque(split.batches(READING_BATCH, epochs), maxlen=0))
    speeds = [count * params.views / seconds for seconds in (built, read)]
    return [
        targets.Target("records stage, augmented", speeds[0], "at least", 50_000, "images/s"),
        targets.Target("reading in batches", speeds[1], "at least", 250_000, "images/s"),
    ]


def _median_seconds(way: Callable[[], object]) -> float:
    return statistics.median(timeit.repeat(way, number=1, repeat=REPEATS))


def memory(folder: Path, few: int = FEW_IMAGES) -> list[targets.Target]:
    """Measure the peak memory of the stages that see every image, with many images over that with few."""
    peaks: dict[str, list[float]] = {stage: [] for stage in STAGES}
    for count in (few, MANY * few):
        data = folder / str(count)
        images.write(data / "subset", count)
        _write_params(data / "params.yaml")
        for stage, files in STAGES.items():
            peaks[stage].append(child.stage(stage, data, *files).peak_mib)
    over = f"{MANY * few:,} images over {few:,}"
    return [
        targets.Target(
            f"peak memory of {stage}, {over} ({low:,.0f} MiB)", high / low, "at most", 1.05, "times"
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


def imports(folder: Path) -> list[targets.Target]:
    """Measure how long the stages that need no TensorFlow take to start."""
    commands = {stage: [sys.executable, "-c", f"import stages.{stage}"] for stage in ("download", "subset")}
    return [
        targets.Target(f"start of {stage}", _seconds_of(command, child.PROJECT), "at most", 0.5, "s")
        for stage, command in commands.items()
    ]


def nothing_to_do(folder: Path) -> list[targets.Target]:
    """Measure a `dvc repro` right after another."""
    copy = scratch.checkout(child.PROJECT, folder, params=DIGITS)
    copy.dvc("repro")
    seconds = _seconds_of(["dvc", "repro"], copy.tree)
    return [targets.Target("dvc repro with nothing to do", seconds, "at most", 2, "s")]


def _seconds_of(command: Sequence[str], folder: Path) -> float:
    """The median of how long a command takes."""
    return statistics.median(child.run(command, folder).seconds for _ in range(REPEATS))


def default(folder: Path) -> list[targets.Target]:
    """The default's `dvc repro` from the user's cache: its road to the records, and how much of all of it
    is not training; not measured if the cache lacks the dataset."""
    dataset = yaml.load(DEFAULT)["download"]["dataset"]["name"]
    to_records = share = None
    if (cache.folder() / dataset).is_dir():
        copy = scratch.checkout(child.PROJECT, folder, params=DEFAULT)
        to_records = copy.dvc("repro", "records").seconds
        rest = copy.dvc("repro").seconds
        share = 1 - outputs.read_json(copy.timing)["training"] / (to_records + rest)
    return [
        targets.Target("download, subset and records, cached", to_records, "at most", 25, "s"),
        targets.Target("share of dvc repro that is not training, cached", share, "at most", 0.2, ""),
    ]


PARTS = {part.__name__: part for part in (rates, memory, imports, nothing_to_do, default)}
