"""Run the params files of three well-known tutorials, and write what came out to reports/tutorials/.

    python -m benchmarks tutorials [NAME ...] [--seeds 0 1 2] [--page]

A name is a file of configs/ without .yaml, or `filters`: how many of them pay off. Without names all run.
"""

import functools
import itertools
import shutil
from collections.abc import Sequence
from pathlib import Path

from benchmarks import options, recipes, runs, scratch
from benchmarks.suites import shrink, templates, tutorials_page
from stages.running import outputs

FOLDER = Path("reports/tutorials")
RESULTS = FOLDER / "results.json"
PAGE = templates.PAGE
FILTERS = "filters"


def main(words: Sequence[str]) -> None:
    """Run the benchmark."""
    parser = options.parser("tutorials", __doc__, range(3))
    parser.add_argument("names", nargs="*", metavar="NAME", default=[*tutorials_page.CONFIGS, FILTERS])
    parser.add_argument("--render", action="store_true", help="train nothing, only write the texts anew")
    parser.add_argument("--page", action="store_true", help=f"renew the table in {PAGE} as well")
    chosen = parser.parse_args(words)
    if not chosen.render:
        with scratch.copy(Path(), scratch.folder()) as copy:
            for name in chosen.names:
                sweep = tutorials_page.sweep().values() if name == FILTERS else [recipes.Recipe(name)]
                for recipe, seed in itertools.product(sweep, chosen.seeds):
                    is_shown = seed == chosen.seeds[0] and not recipe.overrides
                    kept = functools.partial(keep, FOLDER / recipe.config) if is_shown else None
                    runs.measure(copy, recipe, seed, RESULTS, chosen.again, kept)
                write(FOLDER)
    write(FOLDER)
    if chosen.page:
        systems = tutorials_page.systems(runs.read(RESULTS))
        templates.renew("tutorials", systems)


def keep(folder: Path, reports: Path) -> None:
    """Put the metrics, the history and small copies of all pictures into a folder of their own."""
    with outputs.folder(folder) as partial:
        for name in ("metrics.json", "history.csv"):
            shutil.copyfile(reports / name, partial / name)
        for picture in sorted(reports.glob("*.png")):
            shrink.png(picture, partial / picture.name)


def write(folder: Path) -> None:
    """Write the page of what has been measured so far."""
    templates.write(folder / "README.md", tutorials_page.page(runs.read(folder / RESULTS.name), folder))
