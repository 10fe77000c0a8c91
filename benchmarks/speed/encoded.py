"""Measure encoded records: the build on one core and on all, and the rate and memory of reading.

    python -m benchmarks encoded                  # 100,000 pictures of 500x375, sixteen shards
    python -m benchmarks encoded --count 2000     # too few for more than one shard

The pictures are those of `python -m benchmarks pictures`, kept as JPEG files of a short side of 256 pixels.
Reading decodes a random part of each, scales it to 224x224 and mirrors every other one, on one core.
"""

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ruamel.yaml import YAML

from benchmarks import child, machine, options
from benchmarks.speed import pictures, targets
from stages.running import cores, outputs

SHORT_SIDE, SIZE = 256, 224  # pixels, of the stored pictures and of what the network gets
BATCH = 64
FEWER = 8  # times fewer pictures, of which reading should take as much memory
CROP = {"random_resized_crop": {"area": [0.35, 1.0], "ratio": [0.75, 1.3333]}}
FLIP = {"flip_horizontal": {"probability": 0.5}}
RECORDS = child.FILES["records"]
# So that a process has one core, whatever it starts.
ONE_CORE = """
import os, sys
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
os.execv(sys.argv[1], sys.argv[1:])
"""
READ = """
import collections, json, resource, sys, time
from pathlib import Path
from stages.inputs import encoded
split = encoded.read(Path(sys.argv[1]))
batch = int(sys.argv[2])
next(split.batches(batch))
began = time.perf_counter()
collections.deque(split.batches(batch), maxlen=0)
rate = split.manifest.count / (time.perf_counter() - began)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
Path(sys.argv[3]).write_text(json.dumps({"rate": rate, "peak": peak}))
"""

yaml = YAML(typ="safe")


def main(words: Sequence[str]) -> None:
    """Run the benchmark."""
    parser = options.parser("encoded", __doc__)
    parser.add_argument("--count", type=int, default=100_000, help="of pictures")
    parser.add_argument("--output", type=Path, default=Path("reports/benchmarks/encoded.json"))
    chosen = parser.parse_args(words)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        measured = [each.as_json() for each in measure(Path(folder), chosen.count)]
    machine.publish(chosen.output, targets.render(measured), {"targets": measured})


def measure(folder: Path, count: int) -> list[targets.Target]:
    """Build records of many pictures on one core and on all, and read them and those of fewer."""
    os.environ["IMAGE_PIPELINE_CACHE"] = str(folder / "cache")
    few, many = folder / "few", folder / "many"
    for place, images in ((few, count // FEWER), (many, count)):
        _prepare(place, images)
    files = [many / file for file in RECORDS]
    alone = on_one_core(["-m", "stages.records", *files, "--params", many / "params.yaml"])
    together = child.stage("records", many, *RECORDS)
    child.stage("records", few, *RECORDS)
    of_few, of_many = _read(few), _read(many)
    number = cores.usable()
    bound = {1: 0.9, 2: 1.8}.get(number, 0.75 * number)
    what = f"build on {number} cores over one, {together.peak_mib:,.0f} MiB"
    memory = f"reading: memory, {count:,} pictures over {count // FEWER:,} ({of_few['peak']:,.0f} MiB)"
    return [
        targets.Target("build on one core", count / alone.seconds, "at least", 0, "pictures/s"),
        targets.Target(what, alone.seconds / together.seconds, "at least", bound, "times"),
        targets.Target("reading on one core", of_many["rate"], "at least", 1000, "images/s"),
        targets.Target(memory, of_many["peak"] / of_few["peak"], "at most", 1.1, "times"),
    ]


def write_params(folder: Path) -> None:
    """Write the params of the stages up to the records."""
    pictures.write_params(folder)
    document = yaml.load(folder / "params.yaml")
    document["subset"] |= {"image_size": [SIZE, SIZE], "decode": "later", "near_duplicates": False}
    document["subset"] |= {"val_fraction": 0.1, "test_fraction": 0.1}
    encoded = {"quality": 90, "short_side": SHORT_SIDE}
    document["records"] |= {"encoding": "encoded", "encoded": encoded, "augment": [CROP, FLIP]}
    yaml.dump(document, folder / "params.yaml")


def _prepare(folder: Path, count: int) -> None:
    pictures.write(folder / "images", count)
    write_params(folder)
    for stage in ("download", "subset"):
        child.stage(stage, folder, *pictures.STAGES[stage])


def _read(folder: Path) -> dict[str, float]:
    """Read an epoch on one core: images per second, and the peak of memory in MiB."""
    found = folder / "read.json"
    on_one_core(["-c", READ, folder / "records/train", BATCH, found])
    return outputs.read_json(found)


def on_one_core(words: Sequence[object]) -> child.Usage:
    """Run this Python with some arguments on one core."""
    return child.run([sys.executable, "-c", ONE_CORE, sys.executable, *words], child.PROJECT)
