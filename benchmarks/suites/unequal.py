"""Classes of 50 to 1: how much of the small class is found, as it is, weighted, or repeated?

    python -m benchmarks unequal [--seeds 0 1 2] [--page]

One class of CIFAR-10's three keeps every fiftieth of its training and validation images; the test split keeps
all. The table has mean ± sd over the seeds.
"""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from benchmarks import machine, options, recipes, runs, scratch, table
from benchmarks.suites import templates
from stages import evaluate, records, train
from stages.inputs import arrays
from stages.reporting import markdown
from stages.running import outputs, paramfile

CONFIG, SHORT = "cifar10-three-classes-fast", {"records.views": 4, "train.epochs": 4}
SMALL, TIMES = "bird", 50
REMEDIES: dict[str, dict[str, Any]] = {
    "none": {},
    "`train.class_weight: balanced`": {"train.class_weight": "balanced"},
    "`records.balance: equal`": {"records.balance": "equal"},
}
RESULTS = Path("reports/benchmarks/unequal.json")
MARKER = "unequal"
MEASURES = ["recall", "precision", "balanced_accuracy", "accuracy"]
HEADERS = ["remedy", f"recall of {SMALL}", "its precision", "balanced accuracy", "accuracy", "n"]


def main(words: Sequence[str]) -> None:
    """Run the benchmark."""
    parser = options.parser("unequal", __doc__, range(3))
    parser.add_argument("--page", action="store_true", help=f"renew the table in {templates.PAGE} as well")
    chosen = parser.parse_args(words)
    found: dict[str, list[dict[str, float]]] = {name: [] for name in REMEDIES}
    with scratch.copy(Path(), scratch.folder()) as copy, tempfile.TemporaryDirectory() as folder:
        whole = recipes.Recipe(CONFIG, SHORT)
        copy.write_params(whole.params(copy.tree))
        copy.dvc("repro", "subset")
        thinned = Path(folder) / "subset"
        for split in ("train", "val", "test"):
            thin(copy.tree / "data/subset" / split, thinned / split, 1 if split == "test" else TIMES)
        for seed in chosen.seeds:
            for name, changes in REMEDIES.items():
                params = recipes.Recipe(CONFIG, SHORT | changes | {"train.seed": seed}).params(copy.tree)
                found[name].append(attempt(params, thinned, copy.tree, Path(folder) / "work"))
                print(f"{name}, seed {seed}: recall {found[name][-1]['recall']:.4f}", flush=True)
    machine.publish(RESULTS, table.render(HEADERS, rows(found)), {"remedies": found})
    if chosen.page:
        templates.renew(MARKER, markdown.cut(HEADERS, rows(found)))


def thin(source: Path, target: Path, times: int) -> None:
    """Copy a split of the subset format with one of so many images of the small class."""
    split = arrays.Split(source)
    is_small = split.labels == split.manifest.classes.index(SMALL)
    kept = np.flatnonzero(~is_small | (np.cumsum(is_small) % times == 1 % times))
    described = split.manifest.model_copy(update={"count": len(kept)})
    target.parent.mkdir(exist_ok=True)
    arrays.write(target, described, split.images[kept], split.labels[kept], split.positions[kept])


def attempt(params: Mapping[str, Any], subset: Path, project: Path, folder: Path) -> dict[str, float]:
    """Write records, train and evaluate as the stages do; return what the measures are on the test split."""
    keras.utils.clear_session()
    folder.mkdir(exist_ok=True)
    places = folder / "records", folder / "model", folder / "history.csv"
    records.records(
        paramfile.check(records.Params, params["records"], "records"),
        project / "data/raw",
        subset,
        places[0],
        folder / "training_images.png",
    )
    trained = paramfile.check(train.Params, params["train"], "train")
    train.train(trained, places[0] / "train", places[0] / "val", *places[1:])
    judged = paramfile.check(evaluate.Params, params["evaluate"], "evaluate")
    data = project / "reports/data.json"
    evaluate.evaluate(judged, places[1], places[0] / "test", data, places[2], folder / "reports")
    small = outputs.read_json(folder / "reports/per_class.json")[SMALL]
    metrics = outputs.read_json(folder / "reports/metrics.json")
    return {name: {**metrics, **small}[name] for name in MEASURES}


def rows(found: Mapping[str, Sequence[Mapping[str, float]]]) -> list[list[str]]:
    """A row per remedy: mean ± sd of each measure."""
    return [
        [name, *(runs.spread(run[measure] for run in given) for measure in MEASURES), str(len(given))]
        for name, given in found.items()
        if given
    ]
