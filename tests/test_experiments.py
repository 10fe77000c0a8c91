"""Experiments and remotes as docs/experiments.md shows them, with the real `dvc` on the digits."""

import csv
import io
import json
import re
from pathlib import Path

import psutil
import pytest

from stages.review import project
from tests import sandbox


@pytest.fixture(scope="module")
def shared(first_run, tmp_path_factory):
    """A clone with data, a folder as its DVC remote, and a bare repository as its origin."""
    hub, remote = tmp_path_factory.mktemp("hub"), tmp_path_factory.mktemp("remote")
    first_run[0].run("git", "clone", "--quiet", "--bare", ".", str(hub))
    repository = sandbox.Repository(hub).clone(tmp_path_factory.mktemp("experiments") / "clone")
    repository.run("dvc", "remote", "add", "--default", "team", str(remote))
    repository.commit("share data and models")
    repository.run("git", "push", "--quiet")
    repository.run("dvc", "cache", "dir", "--local", str(first_run[0].path / ".dvc/cache"))
    repository.run("dvc", "checkout")
    repository.use_this_environment()
    repository.run("dvc", "push")
    return repository


@pytest.fixture(scope="module")
def sweep(shared):
    """The clone after a queued sweep over two numbers of epochs."""
    shared.run("dvc", "exp", "run", "--queue", "--name", "sweep", "-S", "train.epochs=1,2")
    try:
        shared.run("dvc", "exp", "run", "--run-all")
    finally:
        end_workers(shared)
    return shared


@pytest.fixture
def workspace(sweep):
    """The clone; its files and branches are put back afterwards."""
    yield sweep
    sweep.run("git", "checkout", "--quiet", "--force", "main")
    sweep.run("dvc", "checkout", "--quiet", "--force")


def end_workers(repository):
    """Wait for the queue's worker, a daemon that outlives the command by some seconds."""
    for file in (repository.path / ".dvc/tmp/exps/celery").glob("*.pid"):
        if psutil.pid_exists(worker := int(file.read_text())):
            repository.run("dvc", "queue", "stop", "--kill")
            psutil.Process(worker).wait(timeout=100)


def rows(repository):
    """The table of `dvc exp show`, by experiment; what they start from is under its branch."""
    table = csv.DictReader(io.StringIO(repository.run("dvc", "exp", "show", "--csv")))
    return {row["Experiment"] or row["rev"]: row for row in table}


@pytest.mark.long
def test_a_sweep_tries_every_value_in_an_unchanged_workspace(sweep):
    table = rows(sweep)
    epochs = {name: table[name]["train.epochs"] for name in ("sweep-1", "sweep-2")}
    assert epochs == {"sweep-1": "1", "sweep-2": "2"}
    assert float(table["sweep-1"]["accuracy"]) < float(table["main"]["accuracy"])
    assert sweep.run("git", "status", "--porcelain") == ""


@pytest.mark.long
def test_experiments_can_be_read_by_programs(sweep):
    shown = json.loads(sweep.run("dvc", "exp", "show", "--json"))
    main = next(each for each in shown if each["name"] == "main")
    found = {each["name"]: each["revs"][0]["data"] for each in main["experiments"]}
    assert found["sweep-2"]["params"]["params.yaml"]["data"]["train"]["epochs"] == 2
    assert 0 < found["sweep-2"]["metrics"]["reports/metrics.json"]["data"]["accuracy"] <= 1


@pytest.mark.long
def test_the_report_compares_two_experiments_by_their_names(sweep):
    text = sweep.run("make", "--silent", "report", "BASE=sweep-1", "OPTIONS=--head sweep-2")
    assert re.search(r"^`sweep-1 \([0-9a-f]{7}\)` → `sweep-2 \([0-9a-f]{7}\)`$", text, re.MULTILINE)
    assert "| `train.epochs` | 1 | 2 | +1 |" in text


DROPPED = "above_half|macro|selective|uncalibrated|_low|_high"  # as docs/experiments.md has it


@pytest.mark.long
def test_the_table_of_experiments_can_be_narrowed(sweep):
    chosen = sweep.run("dvc", "exp", "show", "--only-changed", "--drop", DROPPED, "--csv")
    header = next(csv.reader(io.StringIO(chosen)))
    assert {"accuracy", "loss", "train.epochs"} <= set(header)
    assert len(header) < 20


@pytest.mark.long
def test_an_experiment_becomes_a_branch_that_is_up_to_date(workspace):
    workspace.run("dvc", "exp", "branch", "sweep-2", "more-epochs")
    workspace.run("git", "switch", "--quiet", "more-epochs")
    with project.opened(workspace.path) as repo:
        assert project.stale(repo) == {}
    workspace.run("dvc", "checkout")
    assert workspace.stages_run("dvc", "repro") == []
    difference = json.loads(workspace.run("dvc", "params", "diff", "main", "--json"))
    assert difference["params.yaml"]["train.epochs"] == {"old": 6, "new": 2, "diff": -4}


@pytest.mark.long
def test_an_experiment_can_be_applied(workspace):
    workspace.run("dvc", "exp", "apply", "sweep-1")
    assert "epochs: 1\n" in (workspace.path / "params.yaml").read_text()
    assert workspace.stages_run("dvc", "repro") == []


@pytest.fixture
def colleague(shared, tmp_path):
    """Another clone, which has no data."""
    hub = shared.run("git", "remote", "get-url", "origin").strip()
    return sandbox.Repository(Path(hub)).clone(tmp_path / "clone")


@pytest.mark.long
def test_a_colleague_gets_the_data_and_runs_nothing(colleague, first_run):
    assert not (colleague.path / "data/model").exists()
    assert colleague.stages_run("dvc", "repro", "--pull") == []
    assert colleague.digests() == first_run[0].digests()


@pytest.mark.long
def test_a_colleague_gets_only_the_model(colleague):
    colleague.run("dvc", "pull", "train")
    assert (colleague.path / "data/model/model.keras").exists()
    assert not (colleague.path / "data/records").exists()


@pytest.mark.long
def test_a_colleague_gets_an_experiment(colleague, sweep):
    sweep.run("dvc", "exp", "push", "origin", "sweep-2")
    colleague.run("dvc", "exp", "pull", "origin", "sweep-2")
    colleague.run("dvc", "exp", "apply", "sweep-2")
    assert colleague.stages_run("dvc", "repro", "--pull") == []
    assert (colleague.path / "data/model/model.keras").exists()


@pytest.mark.long
def test_a_clone_that_shares_the_cache_trains_nothing_again(colleague, sweep):
    colleague.run("dvc", "cache", "dir", "--local", sweep.run("dvc", "cache", "dir").strip())
    colleague.run("dvc", "checkout")
    colleague.set("train.epochs", 1)
    assert colleague.stages_run("dvc", "repro") == ["evaluate"]
