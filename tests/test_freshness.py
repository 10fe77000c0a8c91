"""`make fresh`, in clones without data, as CI has them."""

import json
import os
import subprocess
import sys

import pytest
from ruamel.yaml import YAML

from stages.review import project
from stages.running import errors
from tests.sandbox import PROJECT

yaml = YAML()


@pytest.fixture
def clone(first_run, tmp_path):
    """A fresh clone of the repository after its first run."""
    return first_run[0].clone(tmp_path / "clone")


def stale(path):
    """The stale stages and what differs in each."""
    with project.opened(path) as repo:
        return {stage: list(reasons) for stage, reasons in project.stale(repo).items()}


def add_a_line(path):
    path.write_text(path.read_text() + "# another line\n")


def test_a_fresh_clone_passes(clone):
    clone.use_this_environment()
    assert "dvc.lock fits the code and the params." in clone.run("make", "fresh")
    assert clone.run("git", "status", "--porcelain") == ""


def test_stages_of_a_changed_parameter_or_line_of_code_are_named(clone):
    clone.use_this_environment()
    clone.set("train.epochs", 7)
    add_a_line(clone.path / "stages/evaluate.py")
    done = clone.attempt("make", "fresh")
    assert done.returncode != 0
    assert "  train: params.yaml:train (modified)\n  evaluate: stages/evaluate.py (modified)\n" in done.stderr
    assert "dvc repro" in done.stderr


def test_a_changed_part_makes_every_stage_that_imports_it_stale(clone):
    add_a_line(clone.path / "stages/figures/canvas.py")
    changed = ["stages/figures"]
    assert stale(clone.path) == {"subset": changed, "records": changed, "evaluate": changed}


def test_the_first_stage_may_be_the_stale_one(clone):
    add_a_line(clone.path / "stages/download.py")
    assert stale(clone.path) == {"download": ["stages/download.py"]}


def test_an_edited_report_is_not_what_its_stage_wrote(clone):
    add_a_line(clone.path / "reports/predictions.csv")
    assert stale(clone.path) == {"evaluate": ["reports/predictions.csv"]}


def test_a_removed_report_is_missed(clone):
    (clone.path / "reports/metrics.json").unlink()
    assert stale(clone.path) == {"evaluate": ["reports/metrics.json"]}


def test_another_command_makes_its_stage_stale(clone):
    document = yaml.load(clone.path / "dvc.yaml")
    document["stages"]["evaluate"]["cmd"] += " --params params.yaml"
    yaml.dump(document, clone.path / "dvc.yaml")
    assert stale(clone.path) == {"evaluate": ["cmd"]}


def test_a_lock_file_put_together_from_two_runs_is_refused(clone):
    document = yaml.load(clone.path / "dvc.lock")
    model = next(out for out in document["stages"]["train"]["outs"] if out["path"] == "data/model")
    model["md5"] = "0" * 32 + ".dir"
    yaml.dump(document, clone.path / "dvc.lock")
    assert stale(clone.path) == {"evaluate": ["data/model"]}


def test_without_a_lock_file_every_stage_is_stale(clone):
    (clone.path / "dvc.lock").unlink()
    assert list(stale(clone.path)) == ["download", "subset", "records", "train", "evaluate"]


def test_a_pipeline_dvc_cannot_read_is_refused(clone):
    (clone.path / "dvc.yaml").write_text("stages: [\n")
    with pytest.raises(errors.BadInput, match=r"dvc\.yaml"):
        stale(clone.path)


def pin(repository, package, version):
    """Pin another version of a package, as a pull request of a bump does."""
    path = repository.path / "requirements.txt"
    lines = [
        f"{package}=={version}" if line.startswith(f"{package}==") else line
        for line in path.read_text().splitlines()
    ]
    path.write_text("\n".join(lines) + "\n")


def retrained(repository, **environment):
    """Leave what the stages would, had they run in an environment that differs in this."""
    path = repository.path / "reports/environment.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | environment))
    repository.run("dvc", "commit", "--force", "--quiet", "evaluate")


def fresh(repository):
    return repository.attempt(sys.executable, "-m", "stages.review.freshness")


def test_a_bump_of_a_version_is_red_until_its_results_are_there(repository):
    repository.run("git", "checkout", "--quiet", "-b", "bump")
    pin(repository, "keras", "99.1.0")
    repository.commit("Keras 99.1")
    red = fresh(repository)
    trained = json.loads((repository.path / "reports/environment.json").read_text())["keras"]
    assert red.returncode == 1
    assert f"  keras {trained} instead of 99.1.0\n" in red.stderr
    assert "run `dvc repro --force --single-item train && dvc repro`, then commit" in red.stderr
    assert "stages" not in red.stderr  # dvc.lock fits
    retrained(repository, keras="99.1.0")
    repository.commit("its results")
    green = fresh(repository)
    assert (green.returncode, green.stderr) == (0, "")


def test_results_of_another_machine_are_fresh(repository):
    other = {
        "processor": "another",
        "instruction_set": "other",
        "onednn": False,
        "cores": 64,
        "python": "3.13.1",
    }
    retrained(repository, **other, platform="macOS-26.1-arm64")
    done = fresh(repository)
    assert (done.returncode, done.stderr) == (0, "")


def test_stale_stages_and_other_versions_are_told_together(clone):
    add_a_line(clone.path / "stages/evaluate.py")
    pin(clone, "numpy", "99.0.0")
    said = fresh(clone).stderr
    assert "  evaluate: stages/evaluate.py (modified)\n" in said
    assert " instead of 99.0.0\n" in said


SAYS_CAT = """
from stages.review import freshness, project
from stages.running import errors

def opened(path):
    raise errors.BadInput(chr(0x732B))

project.opened = opened
freshness.main()
"""


def test_an_error_is_utf8_whatever_the_locale():
    done = subprocess.run(
        [sys.executable, "-c", SAYS_CAT],
        env={**os.environ, "PYTHONPATH": str(PROJECT), "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        encoding="utf-8",
    )
    assert done.stderr == "freshness: error: 猫\n"
