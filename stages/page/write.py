"""Write the results of the pipeline as one HTML file to look at: numbers, curves, confusions, pictures.

It needs no server and no network. With another revision it shows both, and which pictures the change fixed
and broke. Without the data, of a fresh clone, it shows everything but the pictures.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from stages.inputs import arrays
from stages.page import (
    against,
    card,
    chosen,
    counted,
    curves,
    described,
    document,
    embedded,
    listed,
    measured,
    thumbnails,
)
from stages.review import results, revision
from stages.running import ending, errors, outputs

TEST_IMAGES = Path("data/subset/test")  # arrays, which need no TensorFlow and can be read one by one
CARD, DATA_PICTURE, CALIBRATION = "reports/model_card.md", "reports/data.png", "reports/reliability.png"
LARGEST_CARD = 1 << 20  # bytes
LARGEST_PAGE = 5_000_000  # bytes, while thumbnails can be made smaller
MARGIN = 1000  # bytes by which words differ with pictures and without
PLACES = {"data.png": "#data", "confusion_matrix.png": "#confusions", "learning_curves.png": "#learning"}


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
    facts = _facts(files, head, other)
    rows = chosen.rows(head.predictions, other.paired if other else None, len(head.classes))
    found = _thumbnails(folder, rows, LARGEST_PAGE - len(_page(facts, None, rows, other)) - MARGIN)
    page = _page(facts, found, rows, other)
    with outputs.file(output) as partial:
        partial.write_bytes(page)
    if found is None:
        print(f"without pictures: {TEST_IMAGES} is not here; run `dvc repro`, or `dvc pull subset`")
    elif len(page) > LARGEST_PAGE:
        print(f"more than {LARGEST_PAGE:,} bytes, for {len(rows):,} pictures that are as small as they get")
    print(f"{output} ({len(page):,} bytes): open it in a browser")


def _page(
    facts: Mapping[str, Any],
    found: thumbnails.Thumbnails | None,
    rows: pd.DataFrame,
    other: against.Base | None,
) -> bytes:
    pictures = listed.values(rows, found.encoded if found else None, facts["classes"], other)
    return document.text({**facts, "thumbnails": found}, pictures).encode("utf-8", "replace")


def _facts(files: revision.Revision, head: results.Results, other: against.Base | None) -> dict[str, Any]:
    """What page.html.j2 shows."""
    data, found, before = described.read(files), counted.pairs(head.predictions), None
    earlier = other.results if other else None
    histories = {"head": ("", head.history)}
    if earlier and earlier.predictions is not None:
        before = counted.pairs(earlier.predictions)
    if earlier and earlier.history is not None:
        histories["base"] = (" before", earlier.history)
    charts = [curves.chart(measure, histories) for measure in ("accuracy", "loss")]
    count, confused = len(head.classes), counted.confused(found, before)
    is_small = count <= counted.MOST_CLASSES
    return {
        "accuracy": measured.percent(counted.share(head.right, head.images)),
        "base": other,
        "by_class": counted.by_class(found, before, head.classes)[: counted.MOST_ROWS],
        "card": card.as_html(_card(files), PLACES | _calibration(files)),
        "charts": [chart for chart in charts if chart],
        "classes": head.classes,
        "confused": [] if is_small else confused[: counted.MOST_PAIRS],
        "curves": curves,
        "data_picture": embedded.url(files, DATA_PICTURE),
        "epochs": curves.table(head.history),
        "images_by_class": described.counts(data),
        "matrix": counted.matrix(found, before, head.classes) if is_small else None,
        "metrics": measured.rows(head.metrics, earlier.metrics if earlier else None),
        "number_of_pairs": len(confused),
        "percent": measured.percent,
        "right_of_class": chosen.right_of_class(count),
        "right": head.right,
        "source": described.source(data),
        "sentences": list(described.sentences(data)),
        "total": described.total(data),
        "wrong": head.images - head.right,
    }


def _card(files: revision.Revision) -> str:
    found = files.content(CARD, LARGEST_CARD)
    if found is None:
        raise files.fault(CARD, "the model card", "none; run `dvc repro`")
    return found.decode("utf-8", "replace")


def _calibration(files: revision.Revision) -> dict[str, str]:
    found = embedded.url(files, CALIBRATION)
    return {Path(CALIBRATION).name: found} if found else {}


def _thumbnails(folder: Path, rows: pd.DataFrame, room: int) -> thumbnails.Thumbnails | None:
    place = folder / TEST_IMAGES
    if not place.exists():
        return None
    split = arrays.Split(place)
    return thumbnails.fitting(split.images, chosen.places(split, rows), room)


if __name__ == "__main__":
    main()
