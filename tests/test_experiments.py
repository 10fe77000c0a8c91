"""Experiments and remotes as the README shows them, with the real `dvc` on the digits."""

import csv
import io
import json

import psutil
import pytest


@pytest.fixture(scope="module")
def sweep(first_run):
    """The repository after a queued sweep over two numbers of epochs."""
    repository, _ = first_run
    repository.run("dvc", "exp", "run", "--queue", "--name", "sweep", "-S", "train.epochs=1,2")
    try:
        repository.run("dvc", "exp", "run", "--run-all")
    finally:
        end_workers(repository)
    yield repository
    repository.run("dvc", "exp", "remove", "--queue", "--all-commits")


def end_workers(repository):
    """Wait for the queue's worker, a daemon that outlives the command by some seconds."""
    for file in (repository.path / ".dvc/tmp/exps/celery").glob("*.pid"):
        if psutil.pid_exists(worker := int(file.read_text())):
            repository.run("dvc", "queue", "stop", "--kill")
            psutil.Process(worker).wait(timeout=100)


def rows(repository):
    """The table of `dvc exp show`, by experiment; what they start from stands under its branch."""
    table = csv.DictReader(io.StringIO(repository.run("dvc", "exp", "show", "--csv")))
    return {row["Experiment"] or row["rev"]: row for row in table}


def test_a_sweep_tries_every_value_and_leaves_the_workspace_alone(sweep):
    table = rows(sweep)
    epochs = {name: table[name]["train.epochs"] for name in ("sweep-1", "sweep-2")}
    assert epochs == {"sweep-1": "1", "sweep-2": "2"}
    assert float(table["sweep-1"]["accuracy"]) < float(table["main"]["accuracy"])
    assert sweep.run("git", "status", "--porcelain") == ""


def test_experiments_can_be_read_by_programs(sweep):
    shown = json.loads(sweep.run("dvc", "exp", "show", "--json"))
    main = next(each for each in shown if each["name"] == "main")
    found = {each["name"]: each["revs"][0]["data"] for each in main["experiments"]}
    assert found["sweep-2"]["params"]["params.yaml"]["data"]["train"]["epochs"] == 2
    assert 0 < found["sweep-2"]["metrics"]["reports/metrics.json"]["data"]["accuracy"] <= 1


def test_an_experiment_becomes_a_branch_that_is_up_to_date(sweep, repository):
    repository.run("dvc", "exp", "branch", "sweep-2", "more-epochs")
    try:
        repository.run("git", "switch", "--quiet", "more-epochs")
        assert repository.stages_run("dvc", "repro") == []
        assert json.loads((repository.path / "reports/metrics.json").read_text())["images"] == 360
        difference = json.loads(repository.run("dvc", "params", "diff", "main", "--json"))
        assert difference["params.yaml"]["train.epochs"] == {"old": 6, "new": 2, "diff": -4}
    finally:
        repository.run("git", "switch", "--quiet", "--force", "main")
        repository.run("git", "branch", "--quiet", "--delete", "--force", "more-epochs")


def test_an_experiment_can_be_applied(sweep, repository):
    repository.run("dvc", "exp", "apply", "sweep-1")
    assert "epochs: 1\n" in (repository.path / "params.yaml").read_text()
    assert repository.stages_run("dvc", "repro") == []


@pytest.fixture(scope="module")
def remote(sweep, tmp_path_factory):
    """A folder with the data, the models and the run cache of the repository, its default remote."""
    folder = tmp_path_factory.mktemp("remote")
    sweep.run("git", "switch", "--quiet", "--create", "shared")
    sweep.run("dvc", "remote", "add", "--default", "team", str(folder))
    sweep.commit("share data and models")
    sweep.run("dvc", "push", "--run-cache")
    yield folder
    sweep.run("git", "switch", "--quiet", "--force", "main")
    sweep.run("git", "branch", "--quiet", "--delete", "--force", "shared")


@pytest.fixture
def clone(sweep, remote, tmp_path):
    """A colleague's clone, which has no data."""
    clone = sweep.clone(tmp_path / "clone")
    assert not (clone.path / "data/model").exists()
    return clone


def test_a_colleague_gets_the_data_and_runs_nothing(clone, first_run):
    assert clone.stages_run("dvc", "repro", "--pull") == []
    assert clone.digests() == first_run[0].digests()


def test_a_colleague_gets_one_model_alone(clone):
    clone.run("dvc", "pull", "train")
    assert (clone.path / "data/model/model.keras").exists()
    assert not (clone.path / "data/records").exists()


def test_a_colleague_does_not_train_what_was_trained_elsewhere(clone):
    clone.set("train.epochs", 1)
    assert clone.stages_run("dvc", "repro", "--pull") == ["evaluate"]


def test_a_colleague_gets_an_experiment(clone):
    clone.run("dvc", "exp", "pull", "origin", "sweep-2")
    clone.run("dvc", "exp", "apply", "sweep-2")
    assert clone.stages_run("dvc", "repro", "--pull") == []
    assert (clone.path / "data/model/model.keras").exists()
