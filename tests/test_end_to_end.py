"""The whole pipeline with the real `dvc`, on the bundled digits, in a temporary Git repository."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from dvc.repo import Repo
from ruamel.yaml import YAML

yaml = YAML()
STAGES = ["download", "subset", "records", "train", "evaluate"]
PROJECT = Path(__file__).parent.parent


def leaves(values, prefix=""):
    """Dotted names of everything below a mapping that is not itself a mapping."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


LEAVES = list(leaves(YAML(typ="safe").load(PROJECT / "params.yaml")))


class Repository:
    """A Git and DVC repository with this project's code."""

    def __init__(self, path):
        self.path = path

    def run(self, *command):
        """Run a command to its end; it must succeed."""
        environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "DVC_NO_ANALYTICS": "1",
        }
        done = subprocess.run(
            command, cwd=self.path, env=environment, capture_output=True, text=True, timeout=500
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    def stages_run(self, *command):
        """Which stages a DVC command ran, in order."""
        lines = self.run(*command).splitlines()
        return [line.split("'")[1] for line in lines if line.startswith("Running stage")]

    def set(self, leaf, value):
        """Write one value to params.yaml."""
        *sections, key = leaf.split(".")
        document = yaml.load(self.path / "params.yaml")
        mapping = document
        for section in sections:
            mapping = mapping[section]
        mapping[key] = value(mapping[key]) if callable(value) else value
        yaml.dump(document, self.path / "params.yaml")

    def digests(self):
        """SHA-256 of every output."""
        files = [
            file
            for folder in ("data", "reports")
            for file in (self.path / folder).rglob("*")
            if file.is_file() and file.name != ".gitignore"
        ]
        return {
            str(file.relative_to(self.path)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files
        }


@pytest.fixture(scope="module")
def first_run(tmp_path_factory):
    """A repository after its first `dvc repro`, committed on main, and which stages that ran."""
    repository = Repository(tmp_path_factory.mktemp("end_to_end") / "repository")
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PROJECT / "stages", repository.path / "stages", ignore=ignore)
    (repository.path / "data").mkdir()
    for name in ("dvc.yaml", ".gitignore", ".dvcignore", "data/.gitignore", ".dvc/config"):
        (repository.path / name).parent.mkdir(exist_ok=True)
        shutil.copy(PROJECT / name, repository.path / name)
    shutil.copy(PROJECT / "configs/digits.yaml", repository.path / "params.yaml")
    repository.run("git", "init", "--quiet", "--initial-branch=main")
    repository.run("git", "config", "user.email", "tests@example.com")
    repository.run("git", "config", "user.name", "Tests")
    repository.run("git", "add", ".")
    stages = repository.stages_run("dvc", "repro")
    repository.run("git", "add", ".")
    repository.run("git", "commit", "--quiet", "--message=first run")
    return repository, stages


@pytest.fixture
def repository(first_run):
    """The repository as the first run left it; restored afterwards."""
    repository, _ = first_run
    yield repository
    repository.run("git", "checkout", "--quiet", "--force", "main")
    repository.run("dvc", "checkout", "--quiet", "--force")


def test_the_first_run_runs_the_five_stages_in_order(first_run):
    assert first_run[1] == STAGES


def test_a_second_run_does_nothing(repository):
    assert "Data and pipelines are up to date." in repository.run("dvc", "repro")


def test_the_digits_are_learnt(repository):
    metrics = json.loads((repository.path / "reports/metrics.json").read_text())
    assert metrics["accuracy"] > 0.8
    assert metrics["images"] == 360


def test_nothing_but_the_outputs_is_left_behind(repository):
    assert repository.run("git", "status", "--porcelain") == ""
    assert not list(repository.path.rglob("*.partial*"))


def changed(value):
    """Another value of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return value + 1
    if isinstance(value, list):
        return value[:-1]
    return f"{value}-changed" if isinstance(value, str) else "set"


@pytest.mark.parametrize("leaf", LEAVES)
def test_a_changed_leaf_makes_its_own_stage_the_first_to_run(first_run, leaf, monkeypatch):
    repository, _ = first_run
    monkeypatch.chdir(repository.path)
    params = repository.path / "params.yaml"
    before = params.read_bytes()
    try:
        repository.set(leaf, changed)
        with Repo() as repo:
            status = repo.status()
    finally:
        params.write_bytes(before)
    assert list(status) == [leaf.split(".")[0]]


def test_forcing_a_run_gives_the_same_bytes(repository):
    before = repository.digests()
    assert repository.stages_run("dvc", "repro", "--force") == STAGES
    after = repository.digests()
    assert {name for name in before if before[name] != after.get(name)} == set()
    assert before.keys() == after.keys()


def test_an_experiment_on_the_model_reruns_training_and_evaluation_only(repository):
    assert repository.stages_run("dvc", "exp", "run", "-S", "train.epochs=1") == ["train", "evaluate"]


def test_going_back_to_a_model_trained_before_trains_nothing(repository):
    before = repository.digests()["data/model/model.keras"]
    repository.run("dvc", "exp", "run", "-S", "train.epochs=1")
    assert repository.digests()["data/model/model.keras"] != before
    assert repository.stages_run("dvc", "exp", "run", "-S", "train.epochs=6") == ["evaluate"]
    assert repository.digests()["data/model/model.keras"] == before


def test_other_classes_rerun_the_subset_and_what_follows(repository):
    repository.set("subset.classes", ["three", "eight"])
    assert repository.stages_run("dvc", "repro") == STAGES[1:]
    metrics = json.loads((repository.path / "reports/metrics.json").read_text())
    assert list(metrics["per_class"]) == ["eight", "three"]


def test_another_source_of_the_same_bytes_reruns_the_download_and_stops(repository):
    repository.set("download.source", "origin")
    assert repository.stages_run("dvc", "repro") == ["download"]


def test_two_branches_can_be_compared(repository):
    repository.run("git", "checkout", "--quiet", "-B", "proposal")
    repository.set("train.epochs", 1)
    repository.run("dvc", "repro")
    repository.run("git", "commit", "--quiet", "--all", "--message=train less")

    metrics = json.loads(repository.run("dvc", "metrics", "diff", "main", "--json"))
    accuracy = metrics["reports/metrics.json"]["accuracy"]
    assert accuracy["diff"] == pytest.approx(accuracy["new"] - accuracy["old"]) and accuracy["diff"]

    params = json.loads(repository.run("dvc", "params", "diff", "main", "--json"))
    assert params == {"params.yaml": {"train.epochs": {"old": 6, "new": 1, "diff": -5}}}

    repository.run("dvc", "plots", "diff", "main", "--out", "plots")
    page = (repository.path / "plots/index.html").read_text()
    for plot in ("loss", "accuracy", "confusion", "confusion-normalized", "confusion_matrix.png"):
        assert plot in page
    shutil.rmtree(repository.path / "plots")


def test_a_clean_clone_is_up_to_date_without_data(repository, tmp_path):
    repository.run("git", "clone", "--quiet", ".", str(tmp_path / "clone"))
    clone = Repository(tmp_path / "clone")
    plan = clone.run("dvc", "repro", "--dry", "--allow-missing")
    assert "Data and pipelines are up to date." in plan
