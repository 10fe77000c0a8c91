"""Measure how own pictures get from a folder to records: seconds, files per second and peak memory by stage.

    python -m benchmarks pictures                     # 100,000 files of 500x375, 10,000 of them different
    python -m benchmarks pictures --count 2000

The pictures are made of noise of two sizes, as JPEG files of about 100 kB.
"""

import functools
import io
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from ruamel.yaml import YAML

from benchmarks import child, machine, options
from benchmarks.speed import targets
from stages.running import ahead, progress

WIDTH, HEIGHT = 500, 375
CLASSES = 10
DIFFERENT = 10_000  # pictures; others are copies, files of their own
SIZE = 128  # pixels of height and width in the records
GIB = 1024  # MiB
STAGES = {stage: child.FILES[stage] for stage in ("download", "subset", "records")}

yaml = YAML(typ="safe")


def main(words: Sequence[str]) -> None:
    """Run the benchmark."""
    parser = options.parser("pictures", __doc__)
    parser.add_argument("--count", type=int, default=100_000, help="of files")
    parser.add_argument("--output", type=Path, default=Path("reports/benchmarks/pictures.json"))
    chosen = parser.parse_args(words)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        measured = [each.as_json() for each in measure(Path(folder), chosen.count)]
    machine.publish(chosen.output, targets.render(measured), {"targets": measured})


def measure(folder: Path, count: int) -> list[targets.Target]:
    """Measure the stages, each in a process of its own, and the first one again when nothing has changed."""
    size = write(folder / "images", count)
    write_params(folder)
    os.environ["IMAGE_PIPELINE_CACHE"] = str(folder / "cache")
    found = [
        targets.Target(f"{count:,} files of {size / 1000:,.0f} kB on average", count, "at least", count, "")
    ]
    for stage, files in {**STAGES, "download again": STAGES["download"]}.items():
        usage = child.stage(stage.split()[0], folder, *files)
        rate, bound = count / usage.seconds, 10_000 if stage == "download again" else 0
        found.append(targets.Target(f"{stage}: {usage.seconds:,.0f} s", rate, "at least", bound, "files/s"))
        found.append(targets.Target(f"{stage}: memory", usage.peak_mib / GIB, "at most", 2, "GiB"))
    return found


def write(
    folder: Path, count: int, different: int | None = None, width: int = WIDTH, height: int = HEIGHT
) -> float:
    """Write pictures to a folder per class; return the mean size of a file in bytes.

    Args:
        folder: The folder of all.
        count: The number of files.
        different: The number of different pictures, at most; None for `DIFFERENT`.
        width: Pixels of each.
        height: Pixels of each.
    """
    different, total = min(count, different or DIFFERENT), 0
    make = functools.partial(_picture, width=width, height=height)
    with progress.bar(different, "making pictures", "pictures") as bar:
        for number, encoded in enumerate(progress.counted(ahead.mapped(make, range(different)), bar)):
            place = folder / f"class {number % CLASSES}"
            place.mkdir(parents=True, exist_ok=True)
            for copy in range(number, count, different):
                (place / f"{copy:06d}.jpg").write_bytes(encoded)
                total += len(encoded)
    return total / count


def write_params(folder: Path) -> None:
    """Write the params of own pictures, for these."""
    document = yaml.load(Path("configs/own-folder.yaml"))
    document["download"]["images"] = str(folder / "images")
    document["subset"]["image_size"] = [SIZE, SIZE]
    document["records"] |= {"views": 1, "augment": []}
    yaml.dump(document, folder / "params.yaml")


def _picture(number: int, width: int, height: int) -> bytes:
    generator = np.random.default_rng(number)
    coarse = Image.fromarray(generator.integers(0, 256, (6, 8, 3), np.uint8))
    smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.int16)
    grain = generator.integers(-24, 25, (height, width, 1), np.int16)
    buffer = io.BytesIO()
    Image.fromarray(np.clip(smooth + grain, 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()
