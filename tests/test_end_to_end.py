"""The whole pipeline with the real `dvc`, on the bundled digits, in a temporary Git repository."""

import csv
import json
import shutil
import sys

import dvc.api
import pytest
from dvc.repo import Repo
from ruamel.yaml import YAML

from tests import pictures, sandbox


def leaves(values, prefix=""):
    """Dotted names of everything below a mapping that is not itself a mapping."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


LEAVES = list(leaves(YAML(typ="safe").load(sandbox.PROJECT / "configs/digits.yaml")))


def test_the_first_run_runs_the_five_stages_in_order(first_run):
    assert first_run[1] == sandbox.STAGES


def test_a_second_run_does_nothing(repository):
    assert "Data and pipelines are up to date." in repository.run("dvc", "repro")


def test_the_digits_are_learnt(repository):
    metrics = json.loads((repository.path / "reports/metrics.json").read_text())
    assert metrics["accuracy"] > 0.8
    assert metrics["images"] == 360


def test_the_page_is_written_of_what_the_first_run_left(repository):
    printed = repository.run(sys.executable, "-m", "stages.page.write", "--base=HEAD")
    assert printed.startswith("page/index.html (")
    page = (repository.path / "page/index.html").read_text(encoding="utf-8")
    assert "No difference that these test images can show" in page and "without the data" not in page
    assert repository.run("git", "status", "--porcelain") == ""


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
    # Those that read what was downloaded depend on the file of the dataset, too.
    also = ["subset", "records"] if leaf == "download.dataset.name" else []
    assert list(status) == [leaf.split(".")[0], *also]


@pytest.mark.long
def test_forcing_a_run_gives_the_same_bytes(repository):
    before = repository.digests()
    assert repository.stages_run("dvc", "repro", "--force") == sandbox.STAGES
    after = repository.digests()
    assert {name for name in before if before[name] != after.get(name)} == set()
    assert before.keys() == after.keys()


@pytest.mark.long
def test_going_back_to_a_model_trained_before_trains_nothing(repository):
    before = repository.digests()["data/model/model.keras"]
    assert repository.stages_run("dvc", "exp", "run", "-S", "train.epochs=1") == ["train", "evaluate"]
    assert repository.digests()["data/model/model.keras"] != before
    assert repository.stages_run("dvc", "exp", "run", "-S", "train.epochs=6") == ["evaluate"]
    assert repository.digests()["data/model/model.keras"] == before


@pytest.mark.long
def test_other_classes_without_validation_rerun_the_subset_and_what_follows(repository):
    repository.set("subset.classes", ["three", "eight"])
    repository.set("subset.val_fraction", 0)
    assert repository.stages_run("dvc", "repro") == sandbox.STAGES[1:]
    per_class = json.loads((repository.path / "reports/per_class.json").read_text())
    assert list(per_class) == ["three", "eight"]
    # The plots show the training.
    drawn = repository.run("dvc", "plots", "show", "--json", "reports/history.csv", "loss")
    assert '"loss"' in drawn
    page = repository.attempt("dvc", "plots", "show", "--out", "plots")
    assert "could not find" not in page.stdout + page.stderr
    assert '"loss": "' in (repository.path / "plots/index.html").read_text()
    shutil.rmtree(repository.path / "plots")


def test_another_source_of_equal_bytes_reruns_only_download(repository):
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
    for plot in ("loss", "accuracy", "confusions", "confusion_matrix.png"):
        assert plot in page
    shutil.rmtree(repository.path / "plots")


def test_a_clean_clone_is_up_to_date_without_data(repository, tmp_path):
    clone = repository.clone(tmp_path / "clone")
    plan = clone.run("dvc", "repro", "--dry", "--allow-missing")
    assert "Data and pipelines are up to date." in plan


def test_another_project_fetches_the_model_with_its_classes(repository, tmp_path):
    origin, other = str(repository.path), sandbox.Repository(tmp_path)
    other.run("git", "init", "--quiet")
    other.run("dvc", "init", "--quiet")
    repository.run("git", "tag", "--annotate", "--message=first", "image-classifier@v1.0.0")
    try:
        other.run("dvc", "artifacts", "get", origin, "image-classifier", "--out", "artifact")
        described = dvc.api.artifacts_show("image-classifier", repo=origin)
    finally:
        repository.run("git", "tag", "--delete", "image-classifier@v1.0.0")
    other.run("dvc", "get", origin, "data/model", "--out", "got")
    assert described["path"] == "data/model"
    read = json.loads(dvc.api.read("data/model/training.json", repo=origin))
    classes = json.loads((repository.path / "reports/data.json").read_text())["classes"]
    for folder in ("artifact", "got"):
        training = json.loads((tmp_path / folder / "training.json").read_text())
        assert training == read and training["classes"] == classes
    pictures.put(tmp_path / "photos/one.png", pictures.png(0))
    command = [sys.executable, "-m", "stages.serving.predict", str(tmp_path / "photos")]
    printed = repository.run(*command, "--model", str(tmp_path / "artifact"), "--top", "10")
    _, row = csv.reader(printed.splitlines())
    assert sorted(row[1:-1:2]) == sorted(classes)


def test_a_changed_archive_makes_the_download_stale(first_run, monkeypatch):
    repository, _ = first_run
    monkeypatch.chdir(repository.path)
    archive = repository.path / "data/archive/mine.zip"
    try:
        archive.write_bytes(b"")
        with Repo() as repo:
            assert "data/archive" in str(repo.status()["download"])
    finally:
        archive.unlink()
    with Repo() as repo:
        assert repo.status() == {}


def test_a_clone_has_the_same_bytes_whatever_git_makes_of_lines(repository, tmp_path):
    clone = tmp_path / "clone"
    repository.run("git", "clone", "--quiet", "--config=core.autocrlf=true", ".", str(clone))
    names = repository.run("git", "ls-files", "-z").split("\0")[:-1]
    changed = [name for name in names if (clone / name).read_bytes() != (repository.path / name).read_bytes()]
    assert names and not changed


def test_a_model_written_over_by_hand_leaves_the_cached_one(repository):
    model = repository.path / "data/model/model.keras"
    before = model.read_bytes()
    repository.run("dvc", "checkout", "--force")
    with model.open("r+b") as file:  # the same inode, as an editor that does not rename writes
        file.write(b"not a model")
    assert "modified" in repository.run("dvc", "status", "train")
    repository.run("dvc", "checkout", "--force")
    assert model.read_bytes() == before
