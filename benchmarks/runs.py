"""Run recipes by the real `dvc repro`, and keep what each run gave in a JSON file."""

import dataclasses
import json
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pydantic

from benchmarks import machine, recipes, scratch
from stages.running import errors, outputs


class Run(pydantic.BaseModel):
    """One training and what it gave."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    config: str  # a file of configs/, without .yaml
    overrides: dict[str, Any]  # dotted key: value, where it differs from the file
    seed: int  # train.seed
    fingerprint: str  # of the code and of all params but the seed
    accuracy: float  # on the test split
    val_accuracy: float | None  # of the epoch whose weights are kept
    metrics: dict[str, Any]  # reports/metrics.json but for its classes
    parameters: int
    epochs: int
    seconds_per_epoch: float  # with its validation
    training_seconds: float  # all of them; compilation of the steps included, unless it was prepared
    preparation_seconds: float = 0.0  # on a GPU: the images' way to it, and compilation
    environment: dict[str, Any]  # reports/environment.json, with this machine

    @property
    def recipe(self) -> recipes.Recipe:
        """What was trained."""
        return recipes.Recipe(self.config, self.overrides)

    @property
    def machine(self) -> tuple[str, int]:
        """The processor, after its GPU if that trained, and the cores that could be used."""
        return self.environment["processor"], self.environment["cores"]


def read(results: Path) -> list[Run]:
    """The runs in a file of results; none if there is no file.

    Raises:
        errors.BadInput: the file does not hold runs.
    """
    if not results.is_file():
        return []
    try:
        return [Run.model_validate(each) for each in json.loads(results.read_text(encoding="utf-8"))["runs"]]
    except (ValueError, KeyError, TypeError) as error:
        raise errors.BadInput(f"{results}: expected the runs of an earlier benchmark: {error}") from error


def select(runs: Iterable[Run], recipe: recipes.Recipe) -> list[Run]:
    """The runs of one recipe, by seed."""
    return sorted((run for run in runs if run.recipe == recipe), key=lambda run: run.seed)


def measure(
    copy: scratch.Scratch,
    recipe: recipes.Recipe,
    seed: int,
    results: Path,
    again: bool = False,
    keep: Callable[[Path], None] | None = None,
    others: Sequence[Path] = (),
) -> Run:
    """Train, unless this machine has trained the same code and params with this seed before.

    The run goes to `results`, instead of those of the same recipe with other code or params or from another
    machine. A line about it is printed.

    Args:
        copy: Where to run.
        recipe: What to train.
        seed: The value of `train.seed`.
        results: A JSON file; more than its key "runs" is left as it is.
        again: Train whatever has been trained before.
        keep: Takes the folder of reports of a training before its run counts as finished.
        others: Results of other benchmarks; a run that is there is not repeated.

    Raises:
        errors.BadInput: no such params file or key, or a stage failed.
    """
    recipe = recipe.effective(copy.tree)
    here = {key: machine.describe(copy.device)[key] for key in ("processor", "cores")}
    wanted = (seed, recipe.fingerprint(copy.tree), *here.values())
    known = [run for file in (results, *others) for run in select(read(file), recipe)]
    earlier = [run for run in known if (run.seed, run.fingerprint, *run.machine) == wanted]
    if earlier and not again:
        run, came = earlier[0], "trained before"
    else:
        given = _train(copy, recipe, seed)
        given["environment"] |= here
        run = Run(**dataclasses.asdict(recipe), seed=seed, fingerprint=wanted[1], **given)
        if keep:
            keep(copy.tree / "reports")
        seconds = f"{run.training_seconds:.2f} s, {run.seconds_per_epoch:.1f} s per epoch"
        came = f"accuracy {run.accuracy:.4f}, {run.epochs} epochs in {seconds}"
    add(results, run)
    print(f"{recipe}, seed {seed}: {came}", flush=True)
    return run


def add(results: Path, run: Run) -> None:
    """Add a run to a file of results; runs of other code or another machine go."""
    kept = [run]
    for each in read(results):
        is_kin = (each.fingerprint, each.machine) == (run.fingerprint, run.machine)
        if each.recipe != run.recipe or (is_kin and each.seed != run.seed):
            kept.append(each)
    kept.sort(key=lambda run: (run.config, len(run.overrides), json.dumps(run.overrides), run.seed))
    rest = outputs.read_json(results) if results.is_file() else {}
    outputs.write_json(results, {**rest, "runs": [each.model_dump() for each in kept]})


def spread(values: Iterable[float | None], digits: int = 4) -> str:
    """Mean ± standard deviation; of a single value, that value; of none, a dash."""
    there = [value for value in values if value is not None]
    shown = [f"{part(there):.{digits}f}" for part in (statistics.fmean, statistics.stdev)[: len(there)]]
    return " ± ".join(shown) or "—"


def times(timing: Mapping[str, Any]) -> dict[str, Any]:
    """Summarize what the train stage wrote to `--timing`, as fields of a run.

    Seconds per epoch are the median over all epochs except the first, which compiles.
    """
    seconds = timing["epochs"]
    return {
        "epochs": len(seconds),
        "seconds_per_epoch": round(statistics.median(seconds[1:] or seconds), 2),
        "training_seconds": round(timing["training"], 2),
        "preparation_seconds": round(timing["preparation"], 1),
    }


def _train(copy: scratch.Scratch, recipe: recipes.Recipe, seed: int) -> dict[str, Any]:
    """Train in any case, forced past the run cache, and take the rest from there; what came of it, as
    fields of a run."""
    params = recipe.params(copy.tree)
    params["train"]["seed"] = seed
    copy.write_params(params)
    copy.dvc("repro", "records")
    copy.dvc("repro", "--force", "--single-item", "train")
    copy.dvc("repro")
    reports = copy.tree / "reports"
    metrics = outputs.read_json(reports / "metrics.json")
    accuracies = pd.read_csv(reports / "history.csv", index_col="epoch")["val_accuracy"].dropna()
    kept = outputs.read_json(copy.tree / "data/model/training.json")["kept_epoch"]
    return {
        "accuracy": metrics["accuracy"],
        "val_accuracy": accuracies.get(kept),
        "metrics": metrics,
        "parameters": metrics["parameters"],
        "environment": outputs.read_json(reports / "environment.json"),
        **times(outputs.read_json(copy.timing)),
    }
