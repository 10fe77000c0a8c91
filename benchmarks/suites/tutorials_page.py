"""The tutorials' figures as Markdown: a page of their own, and a table in the top README."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks import runs
from stages.reporting import markdown
from stages.running import errors

START, END = "<!-- tutorials -->", "<!-- /tutorials -->"
SHOWN = ["learning_curves.png", "confusion_matrix.png"]  # of every params file; the others are folded
NONE = "—"


class Tutorial(NamedTuple):
    """A published system, and the params files that answer it."""

    name: str
    published: str
    as_trained: str  # its architecture and its way of training
    tuned: str | None  # its architecture, trained better
    best: str
    fast: str | None = None  # nearly as good, in fewer seconds

    @property
    def variants(self) -> list[tuple[str, str | None]]:
        """What each params file is, and its name."""
        return [
            ("as the tutorial trains it", self.as_trained),
            ("tuned", self.tuned),
            ("fast here", self.fast),
            ("best here", self.best),
        ]

    @property
    def configs(self) -> list[str]:
        """The params files that there are."""
        return [config for _, config in self.variants if config]


TUTORIALS = [
    Tutorial(
        "A: CIFAR-10, three classes",
        "0.883 ¹",
        "cifar10-three-classes",
        "cifar10-three-classes-tuned",
        "cifar10-three-classes-best",
        "cifar10-three-classes-fast",
    ),
    Tutorial("B: Fashion-MNIST, dense", NONE, "fashion-mnist-dense", None, "fashion-mnist-best"),
    Tutorial(
        "B: Fashion-MNIST, convolutional",
        NONE,
        "fashion-mnist",
        "fashion-mnist-tuned",
        "fashion-mnist-best",
    ),
    Tutorial("C: CIFAR-10, ten classes", "0.6709 ²", "cifar10", "cifar10-tuned", "cifar10-best"),
]
NOTES = """\
¹ The best validation accuracy of ten epochs, chosen on the test images themselves; 131 to 137 s per epoch on
its author's CPU. ² With a precision of 0.7655, which is Keras's: it counts only predictions above 0.5."""

SWEPT, KEY = "fashion-mnist", "train.model.filters"
FILTERS = [[16, 16], [32, 32], [64, 64]]
SWEEP = f"dvc exp run --queue -S '{KEY}=" + ",".join(str(each).replace(" ", "") for each in FILTERS) + "'"


def filter_overrides(filters: Sequence[int]) -> dict:
    """What makes the swept params file have so many filters; nothing where it has them anyway."""
    of_file = runs.params(Path(), SWEPT)["train"]["model"]["filters"]
    return {} if of_file == filters else {KEY: filters}


def systems(measured: Sequence[runs.Run]) -> str:
    """A row for each params file: what its tutorial published, what it gives here and at what cost."""
    headers = ["system", "published", "trained", "here", "parameters", "seconds per epoch", "params file"]
    rows = [
        [
            each.name if label == each.variants[0][0] else "",
            each.published if label == each.variants[0][0] else "",
            label,
            _accuracy(measured, config),
            _parameters(runs.select(measured, config)),
            _epoch(runs.select(measured, config)),
            f"`{config}`",
        ]
        for each in TUTORIALS
        for label, config in each.variants
        if config
    ]
    command = "`cp configs/NAME.yaml params.yaml && dvc repro` gives a row."
    return f"{markdown.cut(headers, rows)}\n\n{command} {_caption(measured)}\n{NOTES}"


def page(measured: Sequence[runs.Run], folder: Path) -> str:
    """All of it, with the pictures that stand in `folder`, a folder for each params file."""
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
    headers = [
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
    configs = dict.fromkeys(config for each in TUTORIALS for config in each.configs)
    rows = []
    for config in configs:
        if not (found := runs.select(measured, config)):
            continue
        validated = [run.val_accuracy for run in found if run.val_accuracy is not None]
        rows.append(
            [
                markdown.link(config, f"../../configs/{config}.yaml"),
                runs.spread([run.accuracy for run in found]),
                runs.spread(validated) if validated else NONE,
                runs.spread([run.metrics["above_half"]["precision"] for run in found]),
                runs.spread([run.metrics["macro"]["precision"] for run in found]),
                _parameters(found),
                _range([run.epochs for run in found]),
                _epoch(found),
                runs.spread([run.training_seconds for run in found], 1),
                str(len(found)),
            ]
        )
    return markdown.cut(headers, rows)


def _filters(measured: Sequence[runs.Run]) -> str:
    rows = []
    for filters in FILTERS:
        if found := runs.select(measured, SWEPT, filter_overrides(filters)):
            accuracy = runs.spread([run.accuracy for run in found])
            rows.append([f"`{filters}`", accuracy, _parameters(found), _epoch(found), str(len(found))])
    headers = ["filters", "test accuracy", "parameters", "seconds per epoch", "n"]
    command = f"```bash\ncp configs/{SWEPT}.yaml params.yaml\n{SWEEP}\ndvc exp run --run-all\n```"
    return f"Of {SWEPT}, an exercise of its tutorial:\n\n{command}\n\n{markdown.cut(headers, rows)}"


def _pictures(tutorial: Tutorial, folder: Path) -> str:
    """Curves and confusions side by side, the rest folded; nothing where there are no pictures."""
    there = [(label, config) for label, config in tutorial.variants if config and (folder / config).is_dir()]
    if not there:
        return ""
    parts = [f"## {tutorial.name}"]
    shown = [
        [_picture(folder, config, picture) for _, config in there]
        for picture in SHOWN
        if any((folder / config / picture).is_file() for _, config in there)
    ]
    if shown:
        parts.append(markdown.cut([label for label, _ in there], shown))
    for label, config in there:
        others = [file.name for file in sorted((folder / config).glob("*.png")) if file.name not in SHOWN]
        if others:
            pictures = "\n\n".join(_picture(folder, config, name) for name in others)
            parts.append(markdown.fold(f"more pictures, {label}: {config}", pictures))
    return "\n\n".join(parts)


def _picture(folder: Path, config: str, name: str) -> str:
    if not (folder / config / name).is_file():
        return ""
    return markdown.picture(f"{Path(name).stem.replace('_', ' ')} of {config}", f"{config}/{name}")


def _caption(measured: Sequence[runs.Run]) -> str:
    configs = {config for each in TUTORIALS for config in each.configs}
    found = [run for run in measured if run.config in configs and not run.overrides]
    counts = [len(runs.select(measured, config)) for config in {run.config for run in found}]
    return (
        f"Accuracy on the test split, mean ± sd over `train.seed` (n = {_range(counts)}), each model chosen"
        f" on validation images. {_machines(found)}."
    )


def _machines(found: Sequence[runs.Run]) -> str:
    """Where the runs took place; where there are several machines, with what each of them ran."""
    configs: dict[str, list[str]] = {}
    for run in found:
        configs.setdefault(machine(run), []).append(f"`{run.config}`")
    if len(configs) < 2:
        return next(iter(configs), NONE)
    return "; ".join(f"{', '.join(dict.fromkeys(ran))}: {name}" for name, ran in sorted(configs.items()))


def machine(run: runs.Run) -> str:
    """Where a run took place, in words."""
    of = run.environment
    return f"{of['processor']}, {of['cores']} CPU cores, {of['precision']}, TensorFlow {of['tensorflow']}"


def _accuracy(measured: Sequence[runs.Run], config: str | None) -> str:
    found = runs.select(measured, config) if config else []
    return runs.spread([run.accuracy for run in found]) if found else NONE


def _parameters(found: Sequence[runs.Run]) -> str:
    return f"{found[0].parameters:,}" if found else NONE


def _epoch(found: Sequence[runs.Run]) -> str:
    return runs.spread([run.seconds_per_epoch for run in found], 1) if found else NONE


def _range(counts: Sequence[int]) -> str:
    if not counts:
        return "0"
    low, high = min(counts), max(counts)
    return str(low) if low == high else f"{low} to {high}"
