"""Write the tutorials' figures as Markdown: a page of their own, and a table in docs/benchmarks.md."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ruamel.yaml import YAML

from benchmarks import runs
from stages.reporting import markdown
from stages.running import errors

START, END = "<!-- tutorials -->", "<!-- /tutorials -->"
DETAILS = [
    "params file",
    "test accuracy",
    "validation accuracy",
    "precision above ½",
    "macro precision",
    "parameters",
    "epochs",
    "seconds per epoch",
    "training seconds",
    "n",
]
SHOWN = ["learning_curves.png", "confusion_matrix.png"]  # of every params file; the others are folded
NONE = "—"


class Tutorial(NamedTuple):
    """A published system, and the params files that answer it, by how each trains."""

    name: str
    published: str
    variants: dict[str, str]


TUTORIALS = [Tutorial(**row) for row in YAML(typ="safe").load(Path(__file__).with_name("tutorials.yaml"))]
CONFIGS = list(dict.fromkeys(config for each in TUTORIALS for config in each.variants.values()))
NOTES = """\
¹ The best validation accuracy of ten epochs, chosen on the test images themselves; 131 to 137 s per epoch on
its author's CPU. ² With a precision of 0.7655, which is Keras's: it counts only predictions above 0.5."""

SWEPT, KEY = "fashion-mnist", "train.model.filters"
FILTERS = [[16, 16], [32, 32], [64, 64]]
SWEEP = f"dvc exp run --queue -S '{KEY}=" + ",".join(str(each).replace(" ", "") for each in FILTERS) + "'"


def filter_overrides(filters: Sequence[int]) -> dict:
    """Give the override that sets the swept file's filters; none if the file has them."""
    of_file = runs.params(Path(), SWEPT)["train"]["model"]["filters"]
    return {} if of_file == filters else {KEY: filters}


def systems(measured: Sequence[runs.Run]) -> str:
    """Make a row of each params file: what its tutorial published, what it gives here and at what cost."""
    headers = ["system", "published", "trained", "here", "parameters", "seconds per epoch", "params file"]
    rows = []
    for each in TUTORIALS:
        for number, (label, config) in enumerate(each.variants.items()):
            head = ["", ""] if number else [each.name, each.published]
            rows.append([*head, label, *_figures(runs.select(measured, config)), f"`{config}`"])
    command = "`cp configs/NAME.yaml params.yaml && dvc repro` gives a row."
    return f"{markdown.cut(headers, rows)}\n\n{command} {_caption(measured)}\n{NOTES}"


def page(measured: Sequence[runs.Run], folder: Path) -> str:
    """Write the whole page, with the pictures in `folder`, which has a folder for each params file."""
    parts = [
        "# Three well-known tutorials, reproduced and beaten",
        "Written by `python -m benchmarks tutorials`; the figures of every run are in "
        "[results.json](results.json).",
        systems(measured),
        "## Every params file",
        _details(measured),
        "## How many filters pay off",
        _filters(measured),
        *(_pictures(each, folder) for each in TUTORIALS),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def replace(text: str, between: str) -> str:
    """A document with something else between its two markers.

    Raises:
        errors.BadInput: it does not have each marker once, in this order.
    """
    if text.count(START) != 1 or text.count(END) != 1 or text.index(START) > text.index(END):
        raise errors.BadInput(f"expected one {START} and, after it, one {END}, found others")
    head, rest = text.split(START)
    return f"{head}{START}\n{between}\n{END}{rest.split(END)[1]}"


def _details(measured: Sequence[runs.Run]) -> str:
    rows = []
    for config in CONFIGS:
        if chosen := runs.select(measured, config):
            accuracy, parameters, epoch = _figures(chosen)
            validated = [run.val_accuracy for run in chosen if run.val_accuracy is not None]
            precisions = [[run.metrics[of]["precision"] for run in chosen] for of in ("above_half", "macro")]
            whole = runs.spread([run.training_seconds for run in chosen], 1)
            epochs = _range([run.epochs for run in chosen])
            middle = [runs.spread(validated) if validated else NONE, *map(runs.spread, precisions)]
            link = markdown.link(config, f"../../configs/{config}.yaml")
            rows.append([link, accuracy, *middle, parameters, epochs, epoch, whole, str(len(chosen))])
    return markdown.cut(DETAILS, rows)


def _filters(measured: Sequence[runs.Run]) -> str:
    rows = []
    for filters in FILTERS:
        if chosen := runs.select(measured, SWEPT, filter_overrides(filters)):
            rows.append([f"`{filters}`", *_figures(chosen), str(len(chosen))])
    headers = ["filters", "test accuracy", "parameters", "seconds per epoch", "n"]
    command = f"```bash\ncp configs/{SWEPT}.yaml params.yaml\n{SWEEP}\ndvc exp run --run-all\n```"
    return f"Of {SWEPT}, an exercise of its tutorial:\n\n{command}\n\n{markdown.cut(headers, rows)}"


def _figures(chosen: Sequence[runs.Run]) -> list[str]:
    """Test accuracy, parameters and seconds per epoch."""
    if not chosen:
        return [NONE] * 3
    accuracy, seconds = ([run.accuracy for run in chosen], [run.seconds_per_epoch for run in chosen])
    return [runs.spread(accuracy), f"{chosen[0].parameters:,}", runs.spread(seconds, 1)]


def _pictures(tutorial: Tutorial, folder: Path) -> str:
    """Show curves and confusions side by side and fold the rest; nothing if there are no pictures."""
    there = {label: config for label, config in tutorial.variants.items() if (folder / config).is_dir()}
    if not there:
        return ""
    shown = [[_picture(folder, config, picture) for config in there.values()] for picture in SHOWN]
    parts = [f"## {tutorial.name}", markdown.cut(list(there), [row for row in shown if any(row)])]
    for label, config in there.items():
        others = [file.name for file in sorted((folder / config).glob("*.png")) if file.name not in SHOWN]
        pictures = "\n\n".join(_picture(folder, config, name) for name in others)
        parts.append(markdown.fold(f"more pictures, {label}: {config}", pictures) if others else "")
    return "\n\n".join(filter(None, parts))


def _picture(folder: Path, config: str, name: str) -> str:
    if not (folder / config / name).is_file():
        return ""
    return markdown.picture(f"{Path(name).stem.replace('_', ' ')} of {config}", f"{config}/{name}")


def _caption(measured: Sequence[runs.Run]) -> str:
    chosen = [run for config in CONFIGS for run in runs.select(measured, config)]
    counts = [len(runs.select(measured, config)) for config in {run.config for run in chosen}]
    return (
        f"Accuracy on the test split, mean ± sd over `train.seed` (n = {_range(counts)}), each model chosen"
        f" on validation images. {_machines(chosen)}."
    )


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


def _range(counts: Sequence[int]) -> str:
    if not counts:
        return "0"
    low, high = min(counts), max(counts)
    return str(low) if low == high else f"{low} to {high}"
