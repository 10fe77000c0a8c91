"""Write the tutorials' figures as Markdown: a page of their own, and a table in docs/benchmarks.md."""

import functools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import jinja2
from ruamel.yaml import YAML

from benchmarks import runs
from stages.reporting import markdown
from stages.running import errors

START, END = "<!-- tutorials -->", "<!-- /tutorials -->"
SHOWN = ["learning_curves.png", "confusion_matrix.png"]  # of every params file; the others are folded
NONE = "—"


class Tutorial(NamedTuple):
    """A published system, and the params files that answer it, by how each trains."""

    name: str
    published: str
    variants: dict[str, str]


class Variant(NamedTuple):
    """A params file of a tutorial, and its pictures."""

    label: str
    config: str
    files: list[str]

    @property
    def folded(self) -> list[str]:
        """The pictures that a reader has to open."""
        return [name for name in self.files if name not in SHOWN]


TUTORIALS = [Tutorial(**row) for row in YAML(typ="safe").load(Path(__file__).with_name("tutorials.yaml"))]
CONFIGS = list(dict.fromkeys(config for each in TUTORIALS for config in each.variants.values()))
SWEPT, KEY = "fashion-mnist", "train.model.filters"
FILTERS = [[16, 16], [32, 32], [64, 64]]
SWEEP = f"dvc exp run --queue -S '{KEY}=" + ",".join(str(each).replace(" ", "") for each in FILTERS) + "'"


def filter_overrides(filters: Sequence[int]) -> dict:
    """Give the override that sets the swept file's filters; none if the file has them."""
    return runs.effective(Path(), SWEPT, {KEY: filters})


def systems(measured: Sequence[runs.Run]) -> str:
    """Make a row of each params file: what its tutorial published, what it gives here and at what cost."""
    return _render("systems.md.j2", measured, Path())


def page(measured: Sequence[runs.Run], folder: Path) -> str:
    """Write the whole page, with the pictures in `folder`, which has a folder for each params file."""
    return _render("tutorials.md.j2", measured, folder).rstrip() + "\n"


def replace(text: str, between: str) -> str:
    """Put something else between a document's two markers.

    Raises:
        errors.BadInput: it does not have each marker once, in this order.
    """
    if text.count(START) != 1 or text.count(END) != 1 or text.index(START) > text.index(END):
        raise errors.BadInput(f"expected one {START} and, after it, one {END}, found others")
    head, rest = text.split(START)
    return f"{head}{START}\n{between}\n{END}{rest.split(END)[1]}"


def _render(template: str, measured: Sequence[runs.Run], folder: Path) -> str:
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, loader=loader)
    environment.filters |= {"spread": _spread, "span": _span}
    environment.tests["contains"] = lambda names, name: name in names
    chosen = [run for config in CONFIGS for run in runs.select(measured, config)]
    counts = [len(runs.select(measured, config)) for config in {run.config for run in chosen}]
    return environment.get_template(template).render(
        tutorials=TUTORIALS,
        configs=CONFIGS,
        shown=SHOWN,
        swept=SWEPT,
        sweep=SWEEP,
        figures=_figures,
        override=filter_overrides,
        picture=_picture,
        swept_filters=FILTERS,
        seeds=_span(counts),
        machines=_machines(chosen),
        select=functools.partial(runs.select, measured),
        pictures=functools.partial(_pictures, folder),
    )


def _figures(chosen: Sequence[runs.Run]) -> str:
    """Test accuracy, parameters and seconds per epoch, as three cells."""
    if not chosen:
        return " | ".join([NONE] * 3)
    accuracy, seconds = _spread(run.accuracy for run in chosen), [run.seconds_per_epoch for run in chosen]
    return f"{accuracy} | {chosen[0].parameters:,} | {_spread(seconds, 1)}"


def _spread(values: Iterable[float | None], digits: int = 4) -> str:
    there = [value for value in values if value is not None]
    return runs.spread(there, digits) if there else NONE


def _span(counts: Iterable[int]) -> str:
    ordered = sorted(counts) or [0]
    return str(ordered[0]) if ordered[0] == ordered[-1] else f"{ordered[0]} to {ordered[-1]}"


def _pictures(folder: Path, tutorial: Tutorial) -> list[Variant]:
    there = {label: config for label, config in tutorial.variants.items() if (folder / config).is_dir()}
    names = {
        config: sorted(path.name for path in (folder / config).glob("*.png")) for config in there.values()
    }
    return [Variant(label, config, names[config]) for label, config in there.items()]


def _picture(variant: Variant, name: str) -> str:
    title = f"{Path(name).stem.replace('_', ' ')} of {variant.config}"
    return markdown.picture(title, f"{variant.config}/{name}")


def _machines(chosen: Sequence[runs.Run]) -> str:
    """Name the machine of the runs; if there are several, with what each of them ran."""
    configs: dict[str, list[str]] = {}
    for run in sorted(chosen, key=lambda run: run.config):
        of = run.environment
        name = f"{of['processor']}, {of['cores']} CPU cores, {of['precision']}, TensorFlow {of['tensorflow']}"
        configs.setdefault(name, []).append(f"`{run.config}`")
    if len(configs) < 2:
        return next(iter(configs), NONE)
    return "; ".join(f"{', '.join(dict.fromkeys(ran))}: {name}" for name, ran in sorted(configs.items()))
