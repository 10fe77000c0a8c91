"""Measure a model in the runtimes that it can be exported to, beside Keras's `predict`.

    python -m benchmarks exports --page                # five rounds, and the table in docs/benchmarks.md
    python -m benchmarks exports --rounds 1 --looks 1  # a rough look

The model is exported to each format, which compares it with the Keras model on the records. Then each runs in
a process of its own on made-up images, and they take turns: one image, and a batch.
"""

import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import child, machine, options, table
from benchmarks.speed import runtimes, targets
from benchmarks.suites import templates
from stages.inputs import manifest
from stages.reporting import markdown
from stages.running import errors

BATCH = 256
TIMES = 15.0  # as fast as Keras's predict, with one image
NAMES = {
    runtimes.KERAS: "Keras `predict`",
    "saved_model": "SavedModel",
    "onnx": "ONNX Runtime",
    "litert": "LiteRT",
    "litert-int8": "LiteRT, int8",
}


def main(words: Sequence[str]) -> None:
    """Run the benchmark."""
    parser = options.parser("exports", __doc__)
    parser.add_argument("--model", type=Path, default=Path("data/model"), metavar="FOLDER")
    parser.add_argument("--records", type=Path, default=Path("data/records"), metavar="FOLDER")
    parser.add_argument("--rounds", type=int, default=5, help="after one to warm up")
    parser.add_argument("--batch", type=int, default=BATCH, help="images")
    parser.add_argument("--looks", type=int, help="of the exports at an image; as the model's unless given")
    parser.add_argument("--page", action="store_true", help=f"renew the table in {templates.PAGE} as well")
    parser.add_argument("--output", type=Path, default=Path("reports/benchmarks/exports.json"))
    chosen = parser.parse_args(words)
    if min(chosen.rounds, chosen.batch) < 1:
        raise errors.BadInput("expected at least one round, and one image in a batch")
    height, width, channels = manifest.read(chosen.records / "test").image_shape
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        places = {runtimes.KERAS: chosen.model / "model.keras"}
        for export in runtimes.FORMATS:
            places[export] = Path(name) / export
            child.run(_command(export, places[export], chosen), child.PROJECT)
        bytes_ = {export: _size(place) for export, place in places.items()}
        timed = runtimes.run(places, (height, width, channels), chosen.batch, chosen.rounds)
    report = summarize(timed, bytes_, chosen.batch, chosen.looks, [height, width, channels])
    machine.publish(chosen.output, render(report), report)
    if chosen.page:
        shown = f"{markdown.cut(*cells(report))}\n\n{machine.line(machine.describe())}."
        templates.renew("exports", shown)


def _command(export: str, place: Path, chosen: Any) -> list[object]:
    words: list[object] = [sys.executable, "-m", "stages.serving.export", runtimes.FORMATS[export]]
    words += ["--model", chosen.model.resolve(), "--output", place]
    words += [
        word for split in ("test", "train") for word in (f"--{split}", chosen.records.resolve() / split)
    ]
    words += ["--int8"] if export.endswith("-int8") else []
    return words + (["--looks", chosen.looks] if chosen.looks else [])


def _size(place: Path) -> int:
    files = [place] if place.is_file() else [path for path in place.rglob("*") if path.is_file()]
    return sum(path.stat().st_size for path in files)


def summarize(
    timed: Mapping[str, Mapping[str, list[float]]],
    sizes: Mapping[str, int],
    batch: int,
    looks: int | None,
    image_shape: list[int],
) -> dict[str, Any]:
    """Medians and ratios from the figures of every round.

    Args:
        timed: As `runtimes.run` gives it.
        sizes: In bytes, by the same names.
        batch: The images of a batch.
        looks: Of the exports at an image; None if as many as the model's.
        image_shape: (H, W, C).
    """
    rows: dict[str, dict[str, Any]] = {
        name: {
            "bytes": sizes[name],
            "images_per_second": statistics.median(rounds["batch"]),
            "images_per_second_by_round": rounds["batch"],
            "milliseconds": statistics.median(rounds["one_image"]),
            "milliseconds_by_round": rounds["one_image"],
        }
        for name, rounds in timed.items()
    }
    keras = rows[runtimes.KERAS]["milliseconds"]
    for row in rows.values():
        row["times_keras"] = keras / row["milliseconds"]
    best = max(rows["onnx"]["times_keras"], rows["litert"]["times_keras"])
    what = "one image as fast as Keras's predict, in ONNX Runtime or LiteRT"
    return {
        "batch": batch,
        "image_shape": image_shape,
        "looks": looks,
        "peers": rows,
        "targets": [targets.Target(what, best, "at least", TIMES, "times").as_json()],
    }


def cells(report: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """The head and the rows of a table: a row for each runtime."""
    rows = [
        [
            NAMES[name],
            f"{row['bytes'] / 1e6:.2f}",
            f"{row['milliseconds']:.2f}",
            f"{min(row['milliseconds_by_round']):.2f}-{max(row['milliseconds_by_round']):.2f}",
            f"{row['times_keras']:.1f}",
            f"{row['images_per_second']:,.0f}",
        ]
        for name, row in report["peers"].items()
    ]
    head = ["runtime", "MB", "ms for one image", "range", "times Keras", f"images/s at {report['batch']}"]
    return head, rows


def render(report: dict[str, Any]) -> str:
    """The report as tables for a terminal."""
    return f"{table.render(*cells(report))}\n\n{targets.render(report['targets'])}"
