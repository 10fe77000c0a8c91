"""Write the tutorials' figures as Markdown: a page of their own, and a table in docs/benchmarks.md."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from benchmarks import recipes, runs
from benchmarks.suites import templates

SHOWN = ["learning_curves.png", "confusion_matrix.png"]  # of every params file; the others are folded
TUTORIALS: list[dict[str, Any]] = YAML(typ="safe").load(Path(__file__).with_name("tutorials.yaml"))
CONFIGS = list(dict.fromkeys(config for each in TUTORIALS for config in each["variants"].values()))
SWEPT, KEY = "fashion-mnist", "train.model.filters"
FILTERS = [[16, 16], [32, 32], [64, 64]]
SWEEP = f"dvc exp run --queue -S '{KEY}=" + ",".join(str(each).replace(" ", "") for each in FILTERS) + "'"


def sweep() -> dict[str, recipes.Recipe]:
    """Give the recipe of the swept file with each of the filters."""
    return {str(filters): recipes.Recipe(SWEPT, {KEY: filters}).effective() for filters in FILTERS}


def systems(measured: Sequence[runs.Run]) -> str:
    """Make a row of each params file: what its tutorial published, what it gives here and at what cost."""
    return _render("systems.md.j2", measured, Path())


def page(measured: Sequence[runs.Run], folder: Path) -> str:
    """Write the whole page, with the pictures in `folder`, which has a folder for each params file."""
    return _render("tutorials.md.j2", measured, folder)


def _render(template: str, measured: Sequence[runs.Run], folder: Path) -> str:
    by_config = {config: runs.select(measured, recipes.Recipe(config)) for config in CONFIGS}
    pictures = {config: sorted(path.name for path in (folder / config).glob("*.png")) for config in CONFIGS}
    return templates.render(
        template,
        tutorials=TUTORIALS,
        trained=by_config,
        shown=SHOWN,
        swept=SWEPT,
        sweep=SWEEP,
        filters={filters: runs.select(measured, recipe) for filters, recipe in sweep().items()},
        pictures={config: names for config, names in pictures.items() if names},
        machines=_machines([run for chosen in by_config.values() for run in chosen]),
    )


def _machines(chosen: Sequence[runs.Run]) -> str:
    """Name the machine of the runs; if there are several, with what each of them ran."""
    configs: dict[str, list[str]] = {}
    for run in sorted(chosen, key=lambda run: run.config):
        of = run.environment
        name = f"{of['processor']}, {of['cores']} CPU cores, {of['precision']}, TensorFlow {of['tensorflow']}"
        configs.setdefault(name, []).append(f"`{run.config}`")
    if len(configs) < 2:
        return "".join(configs) or "—"
    return "; ".join(f"{', '.join(dict.fromkeys(ran))}: {name}" for name, ran in sorted(configs.items()))
