"""Run params files by the real `dvc repro`, and keep what each run gave in a JSON file."""

import ast
import hashlib
import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pydantic
from ruamel.yaml import YAML

from benchmarks import machine, scratch
from stages.running import errors, outputs


class Machine(NamedTuple):
    """A machine: its processor, after its GPU if that trained, and the cores that could be used."""

    processor: str
    cores: int


class Run(pydantic.BaseModel):
    """One training and what it gave: an entry of a file of results."""

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
    environment: dict[str, Any]  # reports/environment.json, with this machine

    @property
    def machine(self) -> Machine:
        """The machine of this run."""
        return Machine(self.environment["processor"], self.environment["cores"])


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

    Every finished run goes to `results` at once, instead of those of the same params file and overrides
    with other code or params or from another machine. One line per run is printed.

    Args:
        copy: Where to run.
        config: A file of configs/, without .yaml.
        overrides: Dotted keys and their values; see `params`.
        seeds: Values of `train.seed`.
        results: A JSON file; more than its key "runs" is left as it is.
        again: Train whatever has been trained before.
        keep: Takes the folder of reports of the first seed before its run counts as finished.
        others: Results of other benchmarks; a run that is there is not repeated.

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
            add(results, earlier[seed])
            print(f"{_title(config, overrides, seed)}: trained before", flush=True)
            continue
        document["train"]["seed"] = seed
        taken, reports = _train(copy, document), copy.tree / "reports"
        environment = {**outputs.read_json(reports / "environment.json"), **here._asdict()}
        identity = {"config": config, "overrides": overrides, "seed": seed, "fingerprint": mark}
        run = Run.model_validate(identity | _collect(reports) | {"environment": environment} | taken)
        if keep is not None and number == 0:
            keep(reports)
        add(results, run)
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
    """Keep the overrides that differ from the params file.

    Raises:
        errors.BadInput: there is no such file.
    """
    plain = params(project, config)
    return {key: value for key, value in overrides.items() if _at(plain, key) != value}


def fingerprint(project: Path, document: Mapping[str, Any]) -> str:
    """Digest what a model depends on, without its seed, as 16 hexadecimal digits of SHA-256.

    It is of the params, the commands of dvc.yaml, and the code that these depend on, without what only
    evaluate depends on: a new picture trains nothing again. Comments and docstrings do not count.
    """
    pipeline = YAML(typ="safe").load(project / "dvc.yaml")["stages"]
    del pipeline["evaluate"]
    without_seed = {**document, "train": {**document["train"], "seed": None}}
    commands = [stage["cmd"].partition(" --timing ")[0] for stage in pipeline.values()]
    digest = hashlib.sha256(json.dumps([without_seed, commands], sort_keys=True).encode())
    deps = {_chosen(dep, document) for stage in pipeline.values() for dep in stage["deps"]}
    places = [project / dep for dep in sorted(deps) if dep.startswith("stages/")]
    for file in [file for place in places for file in (sorted(place.rglob("*.py")) or [place])]:
        digest.update(_code(file) if file.is_file() else b"")
    return digest.hexdigest()[:16]


def _chosen(dep: str, document: Mapping[str, Any]) -> str:
    """A dependency of dvc.yaml with its template filled in."""
    if not dep.startswith("stages/") or "${" not in dep:
        return dep
    head, _, rest = dep.partition("${")
    key, _, tail = rest.partition("}")
    return f"{head}{_at(document, key)}{tail}"


def _code(file: Path) -> bytes:
    """A Python file without its comments and docstrings."""
    tree = ast.parse(file.read_bytes())
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            if isinstance(body[0].value, ast.Constant) and isinstance(body[0].value.value, str):
                del body[0]
    return ast.dump(tree).encode()


def spread(values: Sequence[float], digits: int = 4) -> str:
    """Mean ± standard deviation; of a single value, that value."""
    mean = f"{statistics.fmean(values):.{digits}f}"
    return f"{mean} ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else mean


def _train(copy: scratch.Scratch, document: dict) -> dict[str, Any]:
    """Train in any case, forced past the run cache, and take the rest from there; the run's times."""
    copy.write_params(document)
    copy.dvc("repro", "records")
    copy.dvc("repro", "--force", "--single-item", "train")
    copy.dvc("repro")
    return times(outputs.read_json(copy.timing))


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


def _collect(reports: Path) -> dict[str, Any]:
    """Read what the reports say of a training, as fields of a run."""
    metrics = outputs.read_json(reports / "metrics.json")
    accuracies = pd.read_csv(reports / "history.csv")["val_accuracy"].dropna()
    return {
        "accuracy": metrics["accuracy"],
        "val_accuracy": float(accuracies.max()) if len(accuracies) else None,
        "metrics": metrics,
        "parameters": metrics["parameters"],
    }


def add(results: Path, run: Run) -> None:
    """Add a run to a file of results; runs of other code or another machine go."""
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
