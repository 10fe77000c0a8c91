"""Run params files by the real `dvc repro`, and keep what each run gave in a JSON file."""

import hashlib
import json
import re
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pydantic
from ruamel.yaml import YAML

from benchmarks import machine, scratch
from stages.running import errors, outputs

EPOCH = re.compile(r"^epoch (\d+)/\d+: validation accuracy [\d.]+, ([\d.]+) s$", re.MULTILINE)
PREPARED = re.compile(r"^prepared in ([\d.]+) s: ", re.MULTILINE)
TRAINED = re.compile(r"^trained (\d+) epochs in ([\d.]+) s$", re.MULTILINE)


class Machine(NamedTuple):
    """What tells machines apart: the processor's name, after its GPU's if that is what a run trained on,
    and how many cores it could use."""

    processor: str
    cores: int


class Run(pydantic.BaseModel):
    """What one training gave; one entry of a file of results."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    config: str  # a file of configs/, without .yaml
    overrides: dict[str, Any]  # dotted key: value, where it differs from the file
    seed: int  # train.seed
    fingerprint: str  # of the code and of all params but the seed
    accuracy: float  # on the test split
    val_accuracy: float | None  # the best epoch's, whose weights are kept
    metrics: dict[str, Any]  # reports/metrics.json but for its classes
    parameters: int
    epochs: int
    seconds_per_epoch: float  # with its validation
    training_seconds: float  # all of them; compilation of the steps included, unless it was prepared
    preparation_seconds: float = 0.0  # on a GPU: the images' way to it, and compilation
    environment: dict[str, Any]  # reports/environment.json, with the processor and its cores at hand

    @property
    def machine(self) -> Machine:
        """Where it took place."""
        return Machine(self.environment["processor"], self.environment["cores"])


class Timing(NamedTuple):
    """What a training's log says of its time."""

    epochs: int
    seconds_per_epoch: float
    training_seconds: float
    preparation_seconds: float


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


def select(runs: Sequence[Run], config: str, overrides: Mapping[str, Any] | None = None) -> list[Run]:
    """The runs of one params file with these overrides, by seed."""
    chosen = [run for run in runs if run.config == config and run.overrides == (overrides or {})]
    return sorted(chosen, key=lambda run: run.seed)


def measure(
    copy: scratch.Scratch,
    config: str,
    overrides: Mapping[str, Any],
    seeds: Sequence[int],
    results: Path,
    again: bool = False,
    keep: Callable[[Path], None] | None = None,
    others: Sequence[Path] = (),
) -> list[Run]:
    """Train once per seed, unless this machine has trained the same code and params before.

    Every finished run goes to `results` at once, in place of those of the same params file and overrides
    with other code or params or from another machine. One line per run is printed.

    Args:
        copy: Where to run.
        config: A file of configs/, without .yaml.
        overrides: Dotted keys and their values; see `params`.
        seeds: Values of `train.seed`.
        results: A JSON file; more than its key "runs" is left as it is.
        again: Train whatever has been trained before.
        keep: Takes the folder of reports of the first seed before its run counts as finished.
        others: Results of other benchmarks; a run that stands there is not repeated.

    Raises:
        errors.BadInput: no such params file or key, or a stage failed.
    """
    document = params(copy.tree, config, overrides)
    overrides = effective(copy.tree, config, overrides)
    mark = fingerprint(copy.tree, document)
    here = _this_machine(copy.device)
    found = []
    for number, seed in enumerate(seeds):
        earlier = {
            run.seed: run
            for file in (*others, results)
            for run in select(read(file), config, overrides)
            if (run.fingerprint, run.machine) == (mark, here)
        }
        if seed in earlier and not again:
            found.append(earlier[seed])
            _add(results, earlier[seed])
            print(f"{_title(config, overrides, seed)}: trained before", flush=True)
            continue
        document["train"]["seed"] = seed
        timing = _reproduce(copy, document)
        run = _collect(copy.tree / "reports", config, overrides, seed, mark, timing, here)
        if keep is not None and number == 0:
            keep(copy.tree / "reports")
        _add(results, run)
        found.append(run)
        print(
            f"{_title(config, overrides, seed)}: accuracy {run.accuracy:.4f}, {run.epochs} epochs in "
            f"{run.training_seconds:.2f} s, {run.seconds_per_epoch:.1f} s per epoch",
            flush=True,
        )
    return found


def params(project: Path, config: str, overrides: Mapping[str, Any] | None = None) -> dict:
    """A params file's values with some of them replaced.

    Raises:
        errors.BadInput: there is no such file, or no such key in it.
    """
    path = project / "configs" / f"{config}.yaml"
    if not path.is_file():
        names = sorted(file.stem for file in path.parent.glob("*.yaml"))
        raise errors.unknown("params file", config, names)
    document = YAML(typ="safe").load(path)
    for key, value in (overrides or {}).items():
        section, _, leaf = key.rpartition(".")
        mapping = _at(document, section)
        if not isinstance(mapping, dict) or leaf not in mapping:
            raise errors.BadInput(f"expected a key of configs/{config}.yaml, received {key!r}")
        mapping[leaf] = value
    return document


def effective(project: Path, config: str, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the overrides that say something else than the params file does.

    Raises:
        errors.BadInput: there is no such file.
    """
    plain = params(project, config)
    return {key: value for key, value in overrides.items() if _at(plain, key) != value}


def fingerprint(project: Path, document: Mapping[str, Any]) -> str:
    """SHA-256, shortened, of what a model depends on but for its seed: the params, the commands of
    dvc.yaml and the code they depend on, without those of evaluate: a new picture trains nothing again."""
    pipeline = YAML(typ="safe").load(project / "dvc.yaml")["stages"]
    del pipeline["evaluate"]
    without_seed = {**document, "train": {**document["train"], "seed": None}}
    commands = [stage["cmd"] for stage in pipeline.values()]
    digest = hashlib.sha256(json.dumps([without_seed, commands], sort_keys=True).encode())
    deps = {dep for stage in pipeline.values() for dep in stage["deps"] if dep.startswith("stages/")}
    for dep in sorted(deps):
        file = project / dep.replace("${train.model.name}", document["train"]["model"]["name"])
        digest.update(file.read_bytes() if file.is_file() else b"")
    return digest.hexdigest()[:16]


def timing(log: str) -> Timing:
    """Read what a training printed.

    Seconds per epoch are the median over all epochs but the first, which compiles; where epochs have
    no lines, for want of validation images, they are the mean.

    Raises:
        errors.BadInput: it does not say how long it took.
    """
    whole = TRAINED.search(log)
    if whole is None:
        raise errors.BadInput("expected `trained N epochs in S s` in the training's log, found no such line")
    epochs, seconds = int(whole[1]), float(whole[2])
    each = [float(found[2]) for found in EPOCH.finditer(log)]
    per_epoch = statistics.median(each[1:] or each) if each else seconds / epochs
    prepared = PREPARED.search(log)
    return Timing(epochs, round(per_epoch, 2), seconds, float(prepared[1]) if prepared else 0.0)


def spread(values: Sequence[float], digits: int = 4) -> str:
    """Mean ± standard deviation; of a single value, that value."""
    mean = f"{statistics.fmean(values):.{digits}f}"
    return f"{mean} ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else mean


def _reproduce(copy: scratch.Scratch, document: dict) -> Timing:
    """Train in any case, forced past the run cache, and have the rest from there where it is."""
    copy.write_params(document)
    copy.dvc("repro", "records")
    found = timing(copy.dvc("repro", "--force", "--single-item", "train"))
    copy.dvc("repro")
    return found


def _collect(
    reports: Path,
    config: str,
    overrides: dict[str, Any],
    seed: int,
    mark: str,
    timing: Timing,
    here: Machine,
) -> Run:
    metrics = outputs.read_json(reports / "metrics.json")
    history = pd.read_csv(reports / "history.csv")
    return Run(
        config=config,
        overrides=overrides,
        seed=seed,
        fingerprint=mark,
        accuracy=metrics["accuracy"],
        val_accuracy=float(history["val_accuracy"].max()) if "val_accuracy" in history else None,
        metrics=metrics,
        parameters=metrics["parameters"],
        environment={**outputs.read_json(reports / "environment.json"), **here._asdict()},
        **timing._asdict(),
    )


def _add(results: Path, run: Run) -> None:
    """Runs of another fingerprint or machine go, so that no mean mixes them."""
    same = select(runs := read(results), run.config, run.overrides)
    kin = (run.fingerprint, run.machine)
    gone = [each for each in same if each.seed == run.seed or (each.fingerprint, each.machine) != kin]
    kept = [each for each in runs if each not in gone]
    ordered = sorted([*kept, run], key=_order)
    rest = outputs.read_json(results) if results.is_file() else {}
    outputs.write_json(results, {**rest, "runs": [each.model_dump() for each in ordered]})


def _this_machine(device: str) -> Machine:
    described = machine.describe(device)
    return Machine(described["processor"], described["cores"])


def _order(run: Run) -> tuple:
    return run.config, len(run.overrides), json.dumps(run.overrides), run.seed


def _at(document: Mapping[str, Any], key: str) -> Any:
    value: Any = document
    for part in key.split(".") if key else []:
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _title(config: str, overrides: Mapping[str, Any], seed: int) -> str:
    return ", ".join([config, *(f"{key}={value}" for key, value in overrides.items()), f"seed {seed}"])
