"""Trainings that differ by their seed only: the results of a revision, and DVC's experiments of its kind."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from stages.review import lockfile, pairing, project, results, revision
from stages.running import errors

TRAIN, EVALUATE = "train", "evaluate"
PARAMS, SEED = "params.yaml", "seed"


class Training(NamedTuple):
    """A training that Git has, and what came of it."""

    seed: int
    name: str  # of the revision, in words
    results: results.Results
    predictions: pd.DataFrame  # the results' own, without which nothing is compared


def seed(params: Mapping[str, Any]) -> int | None:
    """Return `train.seed` of a params file; None if it has none."""
    section = params.get(TRAIN)
    found = section.get(SEED) if isinstance(section, dict) else None
    return found if type(found) is int else None


def kind(lock: Mapping[str, dict]) -> str | None:
    """Return all that decides the results but for the seed, as a text; None without a seed.

    It is of the stages train and evaluate: commands, params and what they depend on, except for what comes
    from the training itself.
    """
    if TRAIN not in lock or seed(_params(lock[TRAIN])) is None:
        return None
    made = {out["path"] for out in lock[TRAIN].get("outs", [])}
    return json.dumps([_without_seed(lock.get(name, {}), made) for name in (TRAIN, EVALUATE)], sort_keys=True)


def _params(stage: Mapping[str, Any]) -> dict[str, Any]:
    files = stage.get("params")
    found = files.get(PARAMS) if isinstance(files, dict) else None
    return found if isinstance(found, dict) else {}


def _without_seed(stage: Mapping[str, Any], made: set[str]) -> list[Any]:
    params = _params(stage)
    if isinstance(params.get(TRAIN), dict):
        params = params | {TRAIN: {key: value for key, value in params[TRAIN].items() if key != SEED}}
    deps = [dep for dep in stage.get("deps", []) if dep["path"] not in made]
    return [stage.get("cmd"), params, sorted(deps, key=lambda dep: dep["path"])]


def read(files: revision.Revision) -> tuple[str | None, Training | None]:
    """Return the kind of a revision's training, and the training if it has results.

    Raises:
        errors.BadInput: a file is damaged.
    """
    lock = lockfile.read(files)
    found = kind(lock)
    if found is None:
        return None, None
    given = results.read(files)
    number = seed(_params(lock[TRAIN]))
    if number is None or given is None or given.predictions is None:
        return found, None
    return found, Training(number, files.name, given, given.predictions)


def alike(repo: project.Project, wanted: str, own: Training | None) -> list[Training]:
    """Return a kind's trainings by seed: the revision's own, and experiments of other seeds.

    Args:
        repo: The project, whose experiments are looked through.
        wanted: What `kind` gives for all of them.
        own: The revision's own training, or None.
    """
    found = {} if own is None else {own.seed: own}
    for name, commit in project.experiments(repo):
        files = project.committed(repo, commit, f"the experiment {name}")
        lock = lockfile.read(files)
        if kind(lock) == wanted and seed(_params(lock[TRAIN])) not in found:
            training = read(files)[1]
            if training is not None:
                found[training.seed] = training
    return [found[number] for number in sorted(found)]


def right(trainings: Sequence[Training], other: Sequence[Training]) -> np.ndarray:
    """Return which test images each training has right, in an order that both sides of a comparison share.

    Args:
        trainings: Those of one side, at least one.
        other: Those of the other side, from which follows whether paths or positions tell images apart.

    Returns:
        bool [TRAININGS, IMAGES].

    Raises:
        errors.BadInput: two trainings of the side have other test images.
    """
    key = pairing.key(trainings[0].predictions, other[0].predictions)
    ordered = [training.predictions.sort_values(key) for training in trainings]
    for training, table in zip(trainings, ordered, strict=True):
        if not np.array_equal(table[[key, "actual"]], ordered[0][[key, "actual"]]):
            raise errors.BadInput(
                f"expected the test images of {trainings[0].name} in {results.PREDICTIONS} of"
                f" {training.name}, received others; train both again with `dvc exp run`"
            )
    return np.array([(table["predicted"] == table["actual"]).to_numpy() for table in ordered])
