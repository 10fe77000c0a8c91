"""A params file runs in a copy by the real `dvc`, really trains, and what it gave is kept."""

import json
import subprocess
from types import SimpleNamespace

import pytest

from benchmarks import recipes, runs, scratch
from stages.running import errors
from tests import measured, sandbox


def test_the_first_epoch_is_left_out_of_the_seconds_per_epoch():
    taken = runs.times({"epochs": [11.8, 5.2, 5.04], "training": 22.304, "preparation": 41.26})
    assert taken == {
        "epochs": 3, "seconds_per_epoch": 5.12, "training_seconds": 22.3, "preparation_seconds": 41.3
    }  # fmt: skip


def test_a_single_epoch_counts_as_it_is():
    assert runs.times({"epochs": [7.0], "training": 7.1, "preparation": 0.0})["seconds_per_epoch"] == 7.0


@pytest.mark.parametrize(
    ("values", "digits", "shown"),
    [([0.5], 4, "0.5000"), ([0.5, 0.7], 4, "0.6000 ± 0.1414"), ([10.0, 11.0, 12.0], 1, "11.0 ± 1.0")],
)
def test_several_values_are_shown_as_mean_and_standard_deviation(values, digits, shown):
    assert runs.spread(values, digits) == shown


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """The digits, trained once for an epoch; `seen` are the reports that `keep` was given."""
    project = sandbox.create(tmp_path_factory.mktemp("project"))
    folder, results = tmp_path_factory.mktemp("scratch"), tmp_path_factory.mktemp("results") / "results.json"
    results.write_text('{"runs": [], "targets": ["kept"]}')
    seen = {}
    recipe = recipes.Recipe("digits", {"train.epochs": 1, "train.model.filters": [16]})

    def keep(reports):
        seen.update(json.loads((reports / "metrics.json").read_text()))

    with scratch.copy(project.path, folder) as copy:
        run = runs.measure(copy, recipe, 3, results, keep=keep)
        history = (copy.tree / "reports/history.csv").read_text()
    return SimpleNamespace(
        project=project,
        folder=folder,
        results=results,
        recipe=recipe,
        run=run,
        seen=seen,
        history=history,
    )


@pytest.mark.long
def test_a_run_holds_what_the_pipeline_reported(first):
    run = first.run
    assert (run.config, run.seed, run.epochs) == ("digits", 3, 1)
    assert run.accuracy == first.seen["accuracy"] and run.parameters == first.seen["parameters"] > 0
    assert run.metrics == first.seen
    header, row = (line.split(",") for line in first.history.splitlines())
    assert run.val_accuracy == float(dict(zip(header, row, strict=True))["val_accuracy"])
    assert 0 < run.seconds_per_epoch <= run.training_seconds + 0.1
    assert run.environment["device"] == "cpu" and run.environment["cores"] >= 1


@pytest.mark.long
def test_an_override_that_changes_nothing_is_none(first):
    assert first.run.overrides == {"train.epochs": 1}


@pytest.mark.long
def test_the_results_file_keeps_what_else_it_had(first):
    assert runs.read(first.results) == [first.run]
    assert json.loads(first.results.read_text())["targets"] == ["kept"]


@pytest.mark.long
def test_nothing_outside_the_copy_is_touched(first):
    project = first.project
    assert project.run("git", "status", "--porcelain", "--ignored").count("\n") == project.run(
        "git", "ls-files"
    ).count("\n")  # all of them added, none beside them
    assert not (project.path / ".dvc/cache").exists()


@pytest.mark.long
def test_what_was_trained_before_is_trained_again_only_if_asked(first, tmp_path, capsys):
    results = tmp_path / "results.json"
    results.write_text(first.results.read_text())
    with scratch.copy(first.project.path, first.folder) as copy:
        assert runs.measure(copy, first.recipe, 3, results) == first.run
        assert not (copy.tree / "data/model").exists()
        assert "trained before" in capsys.readouterr().out
        # Read from its log, the training cannot have come from the run cache; the records have.
        again = runs.measure(copy, first.recipe, 3, results, again=True)
        assert again.accuracy == first.run.accuracy
        assert runs.read(results) == [again]
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 and lines[0].startswith("digits, train.epochs=1, seed 3: accuracy 0.")


@pytest.mark.long
def test_what_another_benchmark_has_trained_is_taken_over(first, tmp_path):
    results = tmp_path / "results.json"
    with scratch.copy(first.project.path, first.folder) as copy:
        taken = runs.measure(copy, first.recipe, 3, results, others=[first.results])
        assert not (copy.tree / "data/model").exists()
    assert [taken] == runs.read(results) == [first.run]


@pytest.mark.long
def test_what_another_machine_has_trained_is_trained_again(first, tmp_path, monkeypatch):
    given = first.run.model_dump(exclude={"config", "overrides", "seed", "fingerprint"})
    monkeypatch.setattr(runs, "_train", lambda *_: given | {"accuracy": 0.125})
    results = tmp_path / "results.json"
    elsewhere = first.run.model_copy(
        update={"environment": {**first.run.environment, "processor": "Another CPU"}}
    )
    measured.write(results, [elsewhere])
    with scratch.copy(first.project.path, first.folder) as copy:
        here = runs.measure(copy, first.recipe, 3, results)
    assert here.machine == first.run.machine and here.accuracy == 0.125
    assert runs.read(results) == [here]


@pytest.mark.long
def test_records_are_written_once_for_all_copies(first):
    with scratch.copy(first.project.path, first.folder) as copy:
        copy.write_params(recipes.Recipe("digits", {"train.seed": 9}).params(copy.tree))
        log = copy.dvc("repro", "records").said
    assert "Stage 'records' is cached" in log and "Running stage 'records'" not in log


def test_a_run_of_other_code_replaces_all_of_the_old_code(tmp_path):
    results = tmp_path / "results.json"
    others = [measured.run("cifar10", {"train.epochs": 2}), measured.run("fashion-mnist")]
    measured.write(results, [*others, *(measured.run(seed=seed) for seed in range(3))])
    new = measured.run(seed=1, fingerprint="e" * 16)
    runs.add(results, new)
    assert runs.read(results) == [new, *others]
    runs.add(results, second := measured.run(seed=0, fingerprint="e" * 16))
    assert runs.select(runs.read(results), recipes.Recipe("cifar10")) == [second, new]


def test_a_run_of_another_machine_replaces_all_of_this_one(tmp_path):
    results = tmp_path / "results.json"
    measured.write(results, [measured.run(seed=seed) for seed in range(3)])
    before = measured.run(seed=1)
    new = before.model_copy(update={"environment": {**before.environment, "cores": 64}})
    runs.add(results, new)
    assert runs.read(results) == [new]


@pytest.fixture
def project(tmp_path):
    return sandbox.create(tmp_path / "project").path


def mark(project, **overrides):
    keys = {f"train.{key}": value for key, value in overrides.items()}
    return recipes.Recipe("digits", keys).fingerprint(project)


def test_a_fingerprint_tells_code_and_params_apart_but_not_seeds(project):
    before = mark(project)
    assert mark(project, seed=5) == before
    assert mark(project, epochs=5) != before
    for stranger in ("stages/models/dense.py", "stages/review/report.py"):
        with (project / stranger).open("a") as file:
            file.write("MORE = 1\n")
    assert mark(project) == before
    for used in ("stages/models/three_block_cnn.py", "stages/training/loop.py", "stages/datasets/digits.py"):
        before = mark(project)
        with (project / used).open("a") as file:
            file.write("MORE = 1\n")
        assert mark(project) != before


def test_a_copy_has_the_fingerprint_of_its_project(project, tmp_path):
    copy = scratch.checkout(project, tmp_path / "copy")
    assert "--timing" in (copy.tree / "dvc.yaml").read_text()
    assert mark(copy.tree) == mark(project)


def test_comments_and_docstrings_are_not_part_of_a_fingerprint(project):
    before, used = mark(project), project / "stages/training/loop.py"
    used.write_text(used.read_text().replace('"""Train a network', '"""Teach a network', 1) + "# more\n")
    assert mark(project) == before


@pytest.mark.parametrize("key", ["train.epoch", "epochs", "train.model.filters.1", "training.epochs"])
def test_an_unknown_key_is_named(project, key):
    with pytest.raises(errors.BadInput, match=f"expected a key of configs/digits.yaml, received '{key}'"):
        recipes.Recipe("digits", {key: 1}).params(project)


def test_an_unknown_params_file_is_named(project):
    with pytest.raises(errors.BadInput, match=r"unknown params file 'digit'.*Did you mean 'digits'"):
        recipes.Recipe("digit").params(project)


def test_damaged_results_are_an_error(tmp_path):
    (tmp_path / "results.json").write_text('{"runs": [{"config": "digits"}]}')
    with pytest.raises(errors.BadInput, match=r"results\.json: expected the runs of an earlier benchmark"):
        runs.read(tmp_path / "results.json")


def test_a_stage_that_fails_is_quoted_and_leaves_no_result(project, tmp_path):
    results = tmp_path / "results.json"
    with (
        scratch.copy(project, tmp_path / "scratch") as copy,
        pytest.raises(errors.BadInput, match=r"(?s)`dvc repro records` failed.*download\.source"),
    ):
        runs.measure(copy, recipes.Recipe("digits", {"download.source": "nowhere"}), 0, results)
    assert not results.exists()


def test_a_copy_has_new_files_but_none_that_git_ignores(project, tmp_path):
    (project / "stages/new.py").write_text("")
    (project / "report.md").write_text("ignored")
    (project / "Makefile").unlink()
    with scratch.copy(project, tmp_path / "scratch") as copy:
        (copy.tree / "stages/left_over.py").write_text("")
        assert (copy.tree / "stages/new.py").exists()
        assert not (copy.tree / "report.md").exists() and not (copy.tree / "Makefile").exists()
        top = subprocess.run(["git", "rev-parse", "--show-toplevel"], cwd=copy.tree, capture_output=True)
        assert top.stdout.decode().strip() == str(copy.tree.resolve())
    with scratch.copy(project, tmp_path / "scratch") as copy:
        assert not (copy.tree / "stages/left_over.py").exists()


def test_two_benchmarks_at_once_are_refused(project, tmp_path):
    with (
        scratch.copy(project, tmp_path / "scratch"),
        pytest.raises(errors.BadInput, match="expected one benchmark at a time"),
        scratch.copy(project, tmp_path / "scratch"),
    ):
        pass
