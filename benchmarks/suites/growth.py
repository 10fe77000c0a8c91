"""Do seconds grow in proportion to the images, and does memory stay as it is?

    python -m benchmarks growth [--page]                  # up to a million images: an hour or two
    python -m benchmarks growth --sets 32:10000 256:10000

Own pictures of 32 and of 256 pixels, all of them different, go from a folder through all stages to a judged
model of one epoch, each stage in a process of its own. The small ones are kept in the way that `auto`
chooses, the large ones are encoded. A set that is measured replaces its earlier figures; others stay.
"""

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.figure import Figure
from ruamel.yaml import YAML

from benchmarks import child, machine, options, table
from benchmarks.speed import pictures
from benchmarks.suites import templates
from stages.figures import canvas
from stages.reporting import markdown
from stages.running import errors, outputs

RESULTS, PICTURE = Path("reports/benchmarks/growth.json"), Path("reports/benchmarks/growth.png")
MARKER = "growth"
SETS = ["32:10000", "32:100000", "32:1000000", "256:10000", "256:100000"]
TRAINED_PIXELS = {32: 32, 256: 224}  # by the pixels of the files
STAGES = child.FILES
GIB = 1024  # MiB
MOST_GIB = 2  # of a stage
COLOURS = dict(zip(STAGES, ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000"], strict=True))
LINES = {32: "-", 256: "--"}
HEADERS = ["pixels", "pictures", "way", *STAGES, "most memory"]


class Set(NamedTuple):
    """Pictures of one size."""

    pixels: int  # of height and width
    images: int


def main(words: Sequence[str]) -> None:
    """Run the benchmark."""
    parser = options.parser("growth", __doc__)
    parser.add_argument("--sets", nargs="+", default=SETS, metavar="PIXELS:COUNT")
    parser.add_argument("--page", action="store_true", help=f"renew the table in {templates.PAGE} as well")
    chosen = parser.parse_args(words)
    for each in map(parse, chosen.sets):
        with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
            keep(measure(Path(folder), each))
    measured = read()
    print(machine.line(machine.describe()), table.render(HEADERS, rows(measured)), sep="\n\n")
    with outputs.file(PICTURE) as partial:
        canvas.save(figure(measured), partial)
    if chosen.page:
        templates.renew(MARKER, markdown.cut(HEADERS, rows(measured)))


def parse(text: str) -> Set:
    """Read a set from text such as 32:10000.

    Raises:
        errors.BadInput: it is of another form.
    """
    pixels, _, count = text.partition(":")
    if not (pixels.isdecimal() and count.isdecimal() and int(pixels) in TRAINED_PIXELS and int(count) >= 100):
        raise errors.BadInput(f"expected 32:COUNT or 256:COUNT, of at least 100 pictures, received {text!r}")
    return Set(int(pixels), int(count))


def measure(folder: Path, chosen: Set) -> dict[str, Any]:
    """Make the pictures and run all stages on them; return seconds and peak GiB by stage."""
    images = folder / "images"
    pictures.write(images, chosen.images, chosen.images, chosen.pixels, chosen.pixels)
    write_params(folder, chosen)
    os.environ["IMAGE_PIPELINE_CACHE"] = str(folder / "cache")
    found: dict[str, Any] = {}
    for stage, files in STAGES.items():
        usage = child.stage(stage, folder, *files)
        found[stage] = {"seconds": round(usage.seconds, 1), "gib": round(usage.peak_mib / GIB, 3)}
        print(f"{chosen.images:,} of {chosen.pixels}: {stage} {found[stage]}", flush=True)
    manifest = outputs.read_json(folder / "records/train/manifest.json")
    return {
        **chosen._asdict(),
        "way": "encoded" if manifest.get("encoded") else "decoded",
        "stages": found,
        "machine": machine.describe(),
    }


def write_params(folder: Path, chosen: Set) -> None:
    """Write the params of own pictures with a network so small that the images are what takes time."""
    yaml = YAML(typ="safe")
    document = yaml.load(Path("configs/own-folder.yaml"))
    side = TRAINED_PIXELS[chosen.pixels]
    document["download"]["images"] = str(folder / "images")
    document["subset"] |= {"image_size": [side, side], "val_fraction": 0.05, "test_fraction": 0.05}
    document["records"]["normalize"] = "standardize"
    if side < chosen.pixels:
        crop = {"random_resized_crop": {"area": [0.35, 1.0], "ratio": [0.75, 1.3333]}}
        document["records"]["augment"] = [crop, {"flip_horizontal": {"probability": 0.5}}]
        document["records"] |= {"encoding": "encoded"}
        document["records"]["encoded"]["short_side"] = chosen.pixels
        document["subset"]["decode"] = "later"
    network = {"name": "simple_cnn", "filters": [4], "kernel_size": 3, "units": [16], "dropout": 0.0}
    document["train"] |= {"model": network, "epochs": 1, "batch_size": 50, "test_time_augmentation": 1}
    document["train"]["fine_tuning"]["head_epochs"] = 0
    document["train"]["schedule"]["warmup_epochs"] = 0.0
    yaml.dump(document, folder / "params.yaml")


def read() -> list[dict[str, Any]]:
    """Return the sets that have been measured, by size."""
    found = outputs.read_json(RESULTS)["sets"] if RESULTS.is_file() else []
    return sorted(found, key=lambda each: (each["pixels"], each["images"]))


def keep(measured: dict[str, Any]) -> None:
    """Add a set to the results, instead of earlier figures of it."""
    key = measured["pixels"], measured["images"]
    others = [each for each in read() if (each["pixels"], each["images"]) != key]
    outputs.write_json(RESULTS, {"sets": [*others, measured]})


def rows(measured: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """A row per set: the seconds of each stage, and the most memory that one took."""
    return [
        [
            str(each["pixels"]),
            f"{each['images']:,}",
            each["way"],
            *(f"{each['stages'][stage]['seconds']:,.0f} s" for stage in STAGES),
            f"{max(used['gib'] for used in each['stages'].values()):.2f} GiB",
        ]
        for each in measured
    ]


def figure(measured: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw seconds and peak memory of each stage by the number of pictures."""
    drawn = Figure(figsize=(10, 5.2), layout="constrained")
    seconds, memory = drawn.subplots(1, 2)
    for pixels in TRAINED_PIXELS:
        sets = [each for each in measured if each["pixels"] == pixels]
        counts = [each["images"] for each in sets]
        for stage, colour in COLOURS.items():
            how = {"color": colour, "linestyle": LINES[pixels], "marker": "o", "markersize": 4}
            used = [each["stages"][stage] for each in sets]
            seconds.plot(counts, [each["seconds"] for each in used], label=f"{stage}, {pixels} pixels", **how)
            memory.plot(counts, [each["gib"] for each in used], **how)
    seconds.set(xscale="log", yscale="log", xlabel="pictures", ylabel="seconds", title="Seconds by stage")
    memory.set(
        xscale="log", xlabel="pictures", ylabel="GiB", ylim=(0, 1.05 * MOST_GIB), title="Peak memory by stage"
    )
    memory.axhline(MOST_GIB, color="#888888", linewidth=1)
    drawn.legend(loc="outside lower center", ncols=len(COLOURS), frameon=False, handlelength=3, fontsize=8)
    for axes in (seconds, memory):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.3)
    return drawn
