"""Run the params files of three well-known tutorials, and write what came out to reports/tutorials/.

    python -m benchmarks tutorials [NAME ...] [--seeds 0 1 2] [--page]

A name is a file of configs/ without .yaml, or `filters`: how many of them pay off. Without names all run.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

from benchmarks import options, runs, scratch
from benchmarks.suites import shrink, tutorials_page
from stages.running import outputs

FOLDER = Path("reports/tutorials")
RESULTS = FOLDER / "results.json"
PAGE = Path("docs/benchmarks.md")
FILTERS = "filters"
OTHERS = {"digits", "cifar10-large"}  # of no tutorial; the latter takes a GPU


def main(words: Sequence[str]) -> None:
    """Run the benchmark."""
    parser = options.parser("tutorials", __doc__, range(3))
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--render", action="store_true", help="train nothing, only write the texts anew")
    parser.add_argument("--page", action="store_true", help=f"renew the table in {PAGE} as well")
    chosen = parser.parse_args(words)
    if not chosen.render:
        with scratch.copy(Path(), scratch.folder()) as copy:
            for name in chosen.names or [*names(), FILTERS]:
                run(copy, name, chosen.seeds, FOLDER, chosen.again)
                write(FOLDER)
    write(FOLDER)
    if chosen.page:
        table = tutorials_page.systems(runs.read(RESULTS))
        _write(PAGE, tutorials_page.replace(PAGE.read_text("utf-8"), table))


def names() -> list[str]:
    """Every params file that a tutorial is about."""
    return sorted({file.stem for file in Path("configs").glob("*.yaml")} - OTHERS)


def run(copy: scratch.Scratch, name: str, seeds: Sequence[int], folder: Path, again: bool = False) -> None:
    """Measure one params file, or the sweep over filters; keep the reports of the first seed."""
    results = folder / "results.json"
    if name == FILTERS:
        for overrides in map(tutorials_page.filter_overrides, tutorials_page.FILTERS):
            if overrides:
                runs.measure(copy, tutorials_page.SWEPT, overrides, seeds, results, again)
            else:
                run(copy, tutorials_page.SWEPT, seeds, folder, again)
        return
    runs.measure(copy, name, {}, seeds, results, again, lambda reports: keep(reports, folder / name))


def keep(reports: Path, folder: Path) -> None:
    """Put the metrics, the history and small copies of all pictures into a folder of their own."""
    with outputs.folder(folder) as partial:
        for name in ("metrics.json", "history.csv"):
            shutil.copyfile(reports / name, partial / name)
        for picture in sorted(reports.glob("*.png")):
            shrink.png(picture, partial / picture.name)


def write(folder: Path) -> None:
    """Write the page of what has been measured so far."""
    _write(folder / "README.md", tutorials_page.page(runs.read(folder / "results.json"), folder))


def _write(path: Path, text: str) -> None:
    with outputs.file(path) as partial:
        partial.write_text(text, encoding="utf-8")
