"""Write the results of the pipeline as one HTML file to look at: numbers, curves, confusions, pictures.

It needs no server and no network. With another revision it shows both, and which pictures the change fixed
and broke. Without the data, of a fresh clone, it shows everything but the pictures.
"""

import argparse
import base64
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from PIL import Image

from stages.decoding import picture
from stages.inputs import arrays
from stages.page import against, card, chosen, counted, curves, described, document, measured, thumbnails
from stages.review import results, revision
from stages.running import ending, errors, outputs

TEST_IMAGES = Path("data/subset/test")  # arrays, which need no TensorFlow and can be read one by one
CARD, DATA_PICTURE, CALIBRATION = "reports/model_card.md", "reports/data.png", "reports/reliability.png"
LARGEST_CARD = 1 << 20  # bytes
LARGEST_PAGE = 5_000_000  # bytes, while thumbnails can be made smaller
WIDEST, MOST_PIXELS = 1200, 50_000_000  # pixels of a figure, shown and decoded
FIGURE_QUALITY = 75  # of WebP
PLACES = {"data.png": "#data", "confusion_matrix.png": "#confusions", "learning_curves.png": "#learning"}


class Shown(NamedTuple):
    """The pictures of a page."""

    rows: pd.DataFrame  # as `chosen.rows` gives them
    thumbnails: thumbnails.Thumbnails | None  # None without the data


def main() -> None:
    """Write the page that the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m stages.page.write", description=__doc__)
    parser.add_argument("--base", metavar="REVISION", help="compare with a Git revision or an experiment")
    parser.add_argument("--output", type=Path, default=Path("page/index.html"), metavar="HTML")
    arguments = parser.parse_args()
    with ending.told("page"):
        write(Path.cwd(), arguments.base, arguments.output)


def write(folder: Path, base: str | None, output: Path) -> None:
    """Write the page about the results in a folder, and say where it is.

    Args:
        folder: The folder of the project.
        base: The revision to compare with; None for none.
        output: The HTML file.

    Raises:
        errors.BadInput: a report is missing or damaged, the test images are not those that were judged, or
            there is no such revision.
    """
    outputs.require_replaceable(output)
    files = revision.in_folder(folder, "the working tree")
    head = results.read(files)
    if head is None or head.predictions is None or head.history is None:
        needed = ", ".join((results.METRICS, results.PREDICTIONS, results.HISTORY))
        raise errors.BadInput(f"expected {needed} in {folder}, found not all of them; run `dvc repro`")
    other = None if base is None else against.read(folder, base, head, files)
    facts, names = _facts(files, head, other), _names(head, other)
    rows = chosen.rows(head.predictions, other.paired if other else None, len(head.classes))
    size = len(document.text({**facts, "level": None}, _data(Shown(rows, None), names, other)).encode())
    shown = Shown(rows, _thumbnails(folder, rows, LARGEST_PAGE - size - len(rows)))
    level = shown.thumbnails.level if shown.thumbnails else None
    page = document.text({**facts, "level": level}, _data(shown, names, other))
    with outputs.file(output) as partial:
        partial.write_bytes(page.encode("utf-8", "replace"))
    _tell(output, shown)


def _facts(files: revision.Revision, head: results.Results, other: against.Base | None) -> dict[str, Any]:
    """What page.html.j2 shows."""
    data, before = described.read(files), None
    found = counted.pairs(head.predictions)
    if other and other.results.predictions is not None:
        before = counted.pairs(other.results.predictions)
    histories = {"head": ("", head.history)}
    if other and other.results.history is not None:
        histories["base"] = (" before", other.results.history)
    charts = [curves.chart(measure, histories) for measure in ("accuracy", "loss")]
    count, confused = len(head.classes), counted.confused(found, before)
    is_small = count <= counted.MOST_CLASSES
    return {
        "accuracy": measured.percent(counted.share(head.right, head.images)),
        "base": other,
        "by_class": counted.by_class(found, before, head.classes)[: counted.MOST_ROWS],
        "calibration": head.metrics.get("calibration_error"),
        "card": card.as_html(_card(files), PLACES | _calibration(files)),
        "charts": [chart for chart in charts if chart],
        "classes": head.classes,
        "confused": [] if is_small else confused[: counted.MOST_PAIRS],
        "curves": curves,
        "data_report": data,
        "data_picture": _figure(files, DATA_PICTURE),
        "epochs": curves.table(head.history),
        "matrix": counted.matrix(found, before, head.classes) if is_small else None,
        "metrics": measured.rows(head.metrics, other.results.metrics if other else None),
        "number_of_pairs": len(confused),
        "percent": measured.percent,
        "right_of_class": chosen.right_of_class(count),
        "right": head.right,
        "sentences": list(described.sentences(data)),
        "total": described.total(data.images),
        "wrong": head.images - head.right,
    }


def _card(files: revision.Revision) -> str:
    found = files.content(CARD, LARGEST_CARD)
    if found is None:
        raise files.fault(CARD, "the model card", "none; run `dvc repro`")
    return found.decode("utf-8", "replace")


def _calibration(files: revision.Revision) -> dict[str, str]:
    found = _figure(files, CALIBRATION)
    return {Path(CALIBRATION).name: found} if found else {}


def _figure(files: revision.Revision, path: str) -> str | None:
    """A picture of the reports as a data URL, smaller than its file; None if there is none."""
    found = files.content(path)
    if found is None:
        return None
    try:
        pixels = picture.decode(found, picture.Colours(3), MOST_PIXELS)
    except picture.Fault as error:
        raise files.fault(path, "a picture", f"{error}; run `dvc repro`") from error
    image, buffer = Image.fromarray(pixels), io.BytesIO()
    image.thumbnail((WIDEST, image.height))
    image.save(buffer, "WEBP", quality=FIGURE_QUALITY)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _names(head: results.Results, other: against.Base | None) -> list[str]:
    """Every class that the script may name: the head's, then those that only the base knows."""
    return list(dict.fromkeys([*head.classes, *(other.results.classes if other else [])]))


def _thumbnails(folder: Path, rows: pd.DataFrame, room: int) -> thumbnails.Thumbnails | None:
    place = folder / TEST_IMAGES
    if not place.exists():
        return None
    split = arrays.Split(place)
    return thumbnails.fitting(split.images, chosen.places(split, rows), room)


def _data(shown: Shown, names: list[str], other: against.Base | None) -> Mapping[str, Any]:
    """What page.js shows; it says what the values of a picture are."""
    label = {name: number for number, name in enumerate(names)}
    rows = shown.rows
    encoded = shown.thumbnails.encoded if shown.thumbnails else [""] * len(rows)
    named = rows[results.PATH] if results.PATH in rows else rows["index"]
    columns: list[Any] = [named, rows["actual"].map(label), rows["predicted"].map(label), rows["probability"]]
    columns.append(encoded)
    if other and other.paired is not None:
        columns += [rows["predicted_base"].map(label), rows["probability_base"]]
    pictures = [[_plain(value) for value in row] for row in zip(*columns, strict=True)]
    return {"base": other.name if other else None, "classes": names, "pictures": pictures}


def _plain(value: Any) -> Any:
    """A value for JSON: a whole number is no float, and what is missing is null."""
    if isinstance(value, float):
        return None if np.isnan(value) else int(value) if value.is_integer() else value
    return value


def _tell(output: Path, shown: Shown) -> None:
    size = output.stat().st_size
    if shown.thumbnails is None:
        print(f"without pictures: {TEST_IMAGES} is not here; run `dvc repro`, or `dvc pull subset`")
    elif size > LARGEST_PAGE:
        print(f"larger than {LARGEST_PAGE:,} bytes: it has {len(shown.rows):,} pictures, as small as they get")
    print(f"{output} ({size:,} bytes): open it in a browser")


if __name__ == "__main__":
    main()
