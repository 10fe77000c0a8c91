"""The report on real Git and DVC repositories whose data is gone, through the command line."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from dvc.repo import Repo
from markdown_it import MarkdownIt
from PIL import Image
from ruamel.yaml import YAML

from stages.review import report as report_command
from stages.review import sections

PROJECT = Path(__file__).parents[1]
PIPELINE: dict = {
    "stages": {
        "train": {
            "cmd": "python code/train.py",
            "params": ["download", "train"],
            "deps": ["code/train.py"],
            "outs": ["data/model", {"reports/history.csv": {"cache": False}}],
        },
        "evaluate": {
            "cmd": "python code/evaluate.py",
            "deps": ["data/model", "reports/history.csv", "code/evaluate.py"],
            "outs": [
                {f"reports/{name}": {"cache": False}}
                for name in ("metrics.json", "predictions.csv", "environment.json")
            ],
        },
    },
    "metrics": ["reports/metrics.json"],
}
PARAMS = {"download": {"dataset": "digits"}, "train": {"epochs": 2, "rate": 0.05}}


class Project:
    """A repository with reports as the pipeline writes them, and no trace of its data."""

    def __init__(self, path):
        self.path = path

    def git(self, *arguments):
        done = subprocess.run(["git", *arguments], cwd=self.path, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def write(self, name, text):
        (self.path / name).parent.mkdir(parents=True, exist_ok=True)
        (self.path / name).write_text(text)

    def dump(self, name, values):
        YAML().dump(values, self.path / name)

    def results(self, actual, predicted, first=0, environment=None):
        """Write what the evaluate stage would of these predictions."""
        right = np.array(actual) == np.array(predicted)
        table = pd.DataFrame({"index": np.arange(first, first + len(actual)), "actual": actual})
        table = table.assign(predicted=predicted, probability="0.9000")
        table.to_csv(self.path / "reports/predictions.csv", index=False)
        recall = {
            name: {"recall": float(right[np.array(actual) == name].mean())} for name in sorted(set(actual))
        }
        metrics = {"accuracy": float(right.mean()), "images": len(actual)}
        self.write("reports/metrics.json", json.dumps(metrics))
        self.write("reports/per_class.json", json.dumps(recall))
        self.write(
            "reports/environment.json", json.dumps(environment or {"device": "cpu", "keras": "3.15.1"})
        )

    def commit(self, message, model="weights"):
        """Let DVC lock what is here, commit it to Git, and lose the data."""
        self.write("data/model", model)
        with contextlib.chdir(self.path), Repo() as repo:
            repo.commit(force=True)
        self.git("add", ".")
        self.git("commit", "--quiet", "--allow-empty", f"--message={message}")
        shutil.rmtree(self.path / "data")
        shutil.rmtree(self.path / ".dvc/cache", ignore_errors=True)


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("report") / "project")
    project.path.mkdir()
    project.git("init", "--quiet", "--initial-branch=main")
    project.git("config", "user.email", "tests@example.com")
    project.git("config", "user.name", "Tests")
    with contextlib.chdir(project.path):
        Repo.init().close()
    project.write(".gitignore", "/data\n")
    for name in ("train", "evaluate"):
        project.write(f"code/{name}.py", "print()\n")
    project.git("add", ".")
    project.git("commit", "--quiet", "--message=no results yet")
    project.git("tag", "empty")
    project.dump("dvc.yaml", PIPELINE)
    project.dump("params.yaml", PARAMS)
    project.write("reports/history.csv", "epoch,loss,accuracy,val_loss\n1,0.9,0.5,0.95\n2,0.7,0.6,0.8\n")
    project.results(*answers(cats=80, dogs=80))
    project.commit("first results")
    project.git("checkout", "--quiet", "-b", "proposal")
    return project


@pytest.fixture
def project(template, tmp_path, monkeypatch):
    """On branch `proposal`, right in 80 of 100 cats and 80 of 100 dogs, as on main."""
    copy = Project(Path(shutil.copytree(template.path, tmp_path / "project", symlinks=True)))
    monkeypatch.chdir(copy.path)
    return copy


def answers(cats, dogs):
    """Actual and predicted classes of 100 cats and 100 dogs, some of them right."""
    actual = ["cat"] * 100 + ["dog"] * 100
    predicted = ["cat"] * cats + ["dog"] * (100 - cats) + ["dog"] * dogs + ["cat"] * (100 - dogs)
    return actual, predicted


@pytest.fixture
def report(monkeypatch, capsys):
    """Run the command line; give its exit status, its Markdown and its standard error."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["report", *arguments])
        with pytest.raises(SystemExit) as ended:
            report_command.main()
        said = capsys.readouterr()
        return ended.value.code, said.out, said.err

    return run


def test_a_better_model(project, report):
    project.results(*answers(cats=95, dogs=80))
    project.commit("better")
    status, text, said = report("--base", "main")
    assert (status, said) == (0, "")
    assert text.startswith("**Better**: accuracy 80.00 % → 87.50 %, +7.50 percentage points, 95 % interval +")
    assert "Images: 15 fixed, 0 broke. McNemar's exact test on the same 200 test images" in text
    assert "in 1 of 2 classes" in text
    assert "| `cat` | 80.00 % | 95.00 % | +15.00 | 15 | 0 | 0.00012 |" in text
    assert "| `cat` taken for `dog` | 20 | 5 | -7.50 |" in text
    assert "| `accuracy` | 0.8 | 0.875 | +0.075 |" in text


def test_results_of_other_versions_than_pinned_are_an_objection_at_the_top(project, report):
    project.write("requirements.txt", "keras==3.16.0\nnumpy==2.4.6\n")
    project.results(*answers(cats=95, dogs=80), environment={"keras": "3.15.1", "numpy": "2.4.6"})
    project.commit("a bump")
    status, text, said = report("--base", "main")
    assert status == 3
    assert text.startswith(
        "**Other versions: `requirements.txt` pins others than those that made the results"
    )
    assert "- `keras`: trained with `3.15.1`, pinned `3.16.0`\n\n**Better**: " in text
    pinned = "the results are of other versions than requirements.txt pins: keras 3.15.1 instead of 3.16.0"
    assert said == f"report: {pinned}\n"
    project.results(*answers(cats=95, dogs=80), environment={"keras": "3.16.0", "numpy": "2.4.6"})
    project.commit("its results")
    assert report("--base", "main")[0] == 0


def test_a_worse_model_is_no_objection_without_a_floor(project, report):
    project.results(*answers(cats=80, dogs=60))
    project.commit("worse")
    status, text, _ = report("--base", "main")
    assert status == 0
    assert text.startswith("**Worse**: accuracy 80.00 % → 70.00 %, -10.00 percentage points")
    assert "Images: 0 fixed, 20 broke." in text


def test_a_change_within_the_noise_is_no_difference(project, report):
    project.results(*answers(cats=82, dogs=80))
    project.commit("much the same")
    _, text, _ = report("--base", "main")
    assert text.startswith("**No difference that these test images can show**: accuracy 80.00 % → 81.00 %")
    assert "in 0 of 2 classes" in text


def test_the_same_revision_differs_in_nothing(project, report):
    status, text, _ = report("--base", "main", "--head", "main")
    assert status == 0
    assert "+0.00 percentage points" in text and "(p = 1)" in text
    assert text.count("None changed.") == 2
    assert "No stage differs" in text
    assert "Confusions" not in text and "environment" not in text


def test_params_metrics_and_stages_are_those_of_dvc(project, report):
    project.dump("params.yaml", {**PARAMS, "train": {"epochs": 3, "rate": 0.05}})
    project.results(*answers(cats=95, dogs=80), environment={"device": "gpu", "keras": "3.15.1"})
    project.commit("more epochs", model="other weights")
    _, text, _ = report("--base", "main")
    assert "| `train.epochs` | 2 | 3 | +1 |" in text
    assert "- `train`: `params`, `data/model`" in text
    assert "- `evaluate`: `data/model`, `reports/environment.json`, `reports/metrics.json`" in text
    assert "| `device` | `cpu` | `gpu` |" in text and "3.15.1" not in text
    found = subprocess.run(
        [sys.executable, "-m", "dvc", "metrics", "diff", "main", "--json"], capture_output=True, check=True
    )
    for key in json.loads(found.stdout)["reports/metrics.json"]:
        assert f"| `{key}` |" in text


def test_the_head_can_be_a_revision_and_leaves_no_trace(project, report):
    project.results(*answers(cats=95, dogs=80))
    project.commit("better")
    expected = report("--base", "main")[1]
    project.git("checkout", "--quiet", "main")
    text = report("--base", "main", "--head", "proposal")[1]
    strip = re.compile("`main.*→.*")
    assert strip.sub("", text) == strip.sub("", expected)
    assert text.startswith("**Better**")
    assert len(project.git("worktree", "list").splitlines()) == 1
    assert project.git("status", "--porcelain") == ""


def test_the_working_tree_counts_with_uncommitted_changes(project, report):
    project.results(*answers(cats=95, dogs=80))
    with contextlib.chdir(project.path), Repo() as repo:
        project.write("data/model", "weights")
        repo.commit(force=True)
    status, text, _ = report("--base", "HEAD")
    assert status == 0
    assert text.startswith("**Better**")
    assert re.search("the working tree at [0-9a-f]+, with uncommitted changes", text)


def test_an_experiment_is_a_revision(project, report):
    project.results(*answers(cats=95, dogs=80))
    project.write("data/model", "weights")
    with contextlib.chdir(project.path), Repo() as repo:
        repo.experiments.save(name="brave-try", force=True)
    project.git("checkout", "--quiet", "--force", "main")
    shutil.rmtree(project.path / "data")
    status, text, _ = report("--base", "main", "--head", "brave-try")
    assert status == 0
    assert text.startswith("**Better**")


def test_the_report_repeats(project, report):
    arguments = ("--base", "main", "--picture", "curves.png")
    first = report(*arguments), Path("curves.png").read_bytes()
    assert (report(*arguments), Path("curves.png").read_bytes()) == first


def test_the_report_repeats_in_another_process(project):
    project.results(*answers(cats=95, dogs=80))
    metrics = json.loads((project.path / "reports/metrics.json").read_text())
    metrics["above_half"] = {"share": 0.5, "recall": 0.4}
    project.write("reports/metrics.json", json.dumps(metrics | {"loss": 0.1, "parameters": 5}))
    project.dump("params.yaml", {**PARAMS, "train": {"epochs": 3, "seed": 1, "batch": 8, "rate": 0.1}})
    project.commit("many differences")
    command = [sys.executable, "-m", "stages.review.report", "--base", "main"]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(PROJECT)}
    first, second = (
        subprocess.run(command, env=environment | {"PYTHONHASHSEED": seed}, capture_output=True, text=True)
        for seed in "12"
    )
    assert first.stdout == second.stdout
    names = re.findall(r"^\| `([a-z_.]+)` \| .*$", first.stdout, re.MULTILINE)
    assert names[:5] == ["accuracy", "loss", "parameters", "above_half.recall", "above_half.share"]
    assert names[-4:] == ["train.batch", "train.epochs", "train.rate", "train.seed"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda p: p.write("code/train.py", "print(1)\n"), "- `train`: `code/train.py` modified"),
        (lambda p: (p.path / "code/train.py").unlink(), "- `train`: `code/train.py` deleted"),
        (
            lambda p: p.dump("params.yaml", {**PARAMS, "train": {"epochs": 3, "rate": 0.05}}),
            "- `train`: `params.yaml:train` modified",
        ),
        (
            lambda p: p.dump(
                "dvc.yaml",
                {
                    **PIPELINE,
                    "stages": {**PIPELINE["stages"], "train": {**PIPELINE["stages"]["train"], "cmd": "true"}},
                },
            ),
            "- `train`: `cmd` modified",
        ),
        (lambda p: p.results(*answers(100, 100)), "- `evaluate`: `reports/metrics.json` modified"),
        (
            lambda p: (p.path / "reports/metrics.json").unlink(),
            "- `evaluate`: `reports/metrics.json` deleted",
        ),
    ],
    ids=["code", "deleted code", "params", "command", "report", "deleted report"],
)
def test_a_stale_lock_comes_first_and_fails(project, report, change, expected):
    change(project)
    status, text, said = report("--base", "main")
    assert status == 3
    assert text.startswith("**Stale: `dvc.lock` does not match the committed code and params.**")
    stages = re.findall("^- `.*$", text.split("\n\n**")[0], re.MULTILINE)
    assert len(stages) == 1 and stages[0].startswith(expected)
    assert said.startswith("report: dvc.lock is stale: ")


def test_a_stale_commit_is_told_from_its_own_files(project, report):
    project.write("code/train.py", "print(1)\n")
    project.git("commit", "--quiet", "--all", "--message=without dvc repro")
    project.git("checkout", "--quiet", "main")
    status, text, _ = report("--base", "main", "--head", "proposal")
    assert status == 3
    assert text.split("\n\n")[1] == "- `train`: `code/train.py` modified"


def test_a_lock_of_two_runs_is_stale(project, report):
    lock = YAML().load(project.path / "dvc.lock")
    lock["stages"]["train"]["outs"][0]["md5"] = "0" * 32
    project.dump("dvc.lock", lock)
    status, text, _ = report("--base", "main")
    assert status == 3
    assert "- `evaluate`: `data/model` not as the stage before it wrote it" in text


def test_a_stage_that_never_ran_is_stale(project, report):
    lock = YAML().load(project.path / "dvc.lock")
    del lock["stages"]["train"]
    project.dump("dvc.lock", lock)
    status, text, _ = report("--base", "main")
    assert status == 3
    assert "`data/model` not in dvc.lock" in text


def test_dvc_itself_calls_the_repository_up_to_date(project, report):
    plan = subprocess.run(
        [sys.executable, "-m", "dvc", "repro", "--dry", "--allow-missing"], capture_output=True, text=True
    )
    assert "Data and pipelines are up to date." in plan.stdout
    assert "Stale" not in report("--base", "main")[1]


def test_data_of_another_revision_is_not_looked_at(project, report):
    project.write("data/model", "weights of another branch")
    assert report("--base", "main")[0] == 0


def test_a_base_without_results_shows_only_the_head(project, report):
    status, text, _ = report("--base", "empty", "--picture", "curves.png")
    assert status == 0
    assert text.startswith("**No verdict**: the base has no `reports/metrics.json` to compare with.")
    assert "Accuracy 80.00 % on 200 test images" in text
    assert "| `accuracy` | none | 0.8 |  |" in text
    assert "- `train`: `added`" in text
    assert "Classes" not in text
    assert Path("curves.png").exists()


def test_a_floor_that_has_nothing_to_compare_with_refuses(project, report):
    status, text, said = report("--base", "empty", "--max-drop", "0.1")
    assert status == 3
    assert text.startswith("**Refused:** the base has no reports/metrics.json to compare the accuracy with.")
    assert "No verdict" in text and "to compare the accuracy with" in said


@pytest.mark.parametrize("floor", ["--min-accuracy", "--max-drop"])
def test_a_head_without_metrics_holds_no_floor(project, report, floor):
    project.git("rm", "--quiet", "reports/metrics.json")
    project.git("commit", "--quiet", "--message=lost")
    status, _, said = report("--base", "main", floor, "0.1")
    assert status == 3
    assert "the head has no reports/metrics.json to hold against the floor" in said


@pytest.mark.parametrize("kind", ["pipe", "folder", "link"])
def test_a_picture_replaces_plain_files_only(project, report, kind):
    place = Path("place.png")
    {"pipe": os.mkfifo, "folder": os.mkdir, "link": lambda path: path.symlink_to("params.yaml")}[kind](place)
    before = place.lstat().st_ino
    status, text, said = report("--base", "main", "--picture", "place.png")
    assert (status, text) == (2, "")
    assert "expected a plain file or nothing at place.png" in said
    assert place.lstat().st_ino == before


def test_options_may_come_in_one_text(project, report):
    status, text, _ = report("--base", "main", "--options", "--picture 'both curves.png'")
    assert status == 0 and Path("both curves.png").exists() and text.endswith("(both%20curves.png)\n")


def test_other_test_images_are_not_paired(project, report):
    project.results(*answers(cats=95, dogs=90), first=50)
    project.commit("other images")
    _, text, _ = report("--base", "main")
    assert text.startswith("**Better**")
    assert (
        "Fisher's exact test of two proportions, because the test images differ (base has 200, head 200, both"
        in text
    )
    assert "| class | recall, base | head | points | p, adjusted |" in text


def test_an_added_class_is_named_and_the_shared_images_counted(project, report):
    actual, predicted = answers(cats=70, dogs=80)
    project.results([*actual, *["newt"] * 50], [*predicted, *["newt"] * 50])
    project.commit("newts")
    _, text, _ = report("--base", "main")
    assert "because the classes differ (added `newt`)" in text
    assert "Images of the 200 that both have: 0 fixed, 10 broke." in text
    assert "of 2 classes that both have" in text
    text = report("--base", "HEAD", "--head", "main")[1]
    assert "because the classes differ (removed `newt`)" in text
    assert "Images of the 200 that both have: 10 fixed, 0 broke." in text


def test_another_dataset_with_the_same_classes_is_not_paired(project, report):
    project.dump("params.yaml", {**PARAMS, "download": {"dataset": "fashion_mnist"}})
    project.results(*answers(cats=95, dogs=80))
    project.commit("another dataset")
    text = report("--base", "main")[1]
    assert "because the dataset is another" in text
    assert "fixed" not in text


@pytest.mark.parametrize(("fraction", "paired"), [(0.5, False), (None, True)])
def test_carved_test_images_are_not_paired_with_published_ones(project, report, fraction, paired):
    project.dump("params.yaml", PARAMS | {"subset": {"test_fraction": fraction, "seed": 1}})
    project.results(*answers(cats=95, dogs=80))
    project.commit("images of equal numbers")
    text = report("--base", "main")[1]
    assert ("because the test images come from another published split" in text) != paired
    assert ("15 fixed" in text) == paired


def test_a_dataset_without_a_common_class_has_no_class_tables(project, report):
    project.dump("params.yaml", {**PARAMS, "download": {"dataset": "fashion_mnist"}})
    actual, predicted = (["new " + name for name in names] for names in answers(cats=95, dogs=80))
    project.results(actual, predicted)
    project.commit("another dataset")
    text = report("--base", "main")[1]
    assert re.findall("^### .*", text, re.MULTILINE) == ["### Metrics", "### Params", "### Stages"]


def test_a_test_and_an_interval_that_disagree_are_explained(project, report):
    sentence = "Here they disagree on whether zero is possible: the test decides."
    project.results(*answers(cats=95, dogs=80), first=200)  # Fisher's p 0.057, the interval +0.24 to +14.72
    project.commit("on the border")
    text = report("--base", "main")[1]
    assert text.startswith("**No difference that these test images can show**")
    assert sentence in text
    project.results(*answers(cats=95, dogs=80))
    project.commit("clear")
    assert sentence not in report("--base", "main")[1]


@pytest.mark.parametrize("style", ["class {}", 60 * "<" + "{}"])
def test_a_hundred_classes_fit_into_a_comment(project, report, style):
    names = [style.format(number) for number in range(100)]
    rng = np.random.default_rng(0)
    for share in (0.3, 0.9):
        actual = names * 20
        wrong = rng.random(len(actual)) > share
        predicted = np.where(wrong, rng.choice(names, len(actual)), actual)
        project.results(actual, predicted)
        project.commit(f"right in {share}")
    text = report("--base", "HEAD~1")[1]
    assert text.startswith("**Better**")
    assert "### Params" in text and "### Stages" in text
    assert "### Classes" in text
    assert len(text) < 65_536 - len("<!-- pipeline report -->\n")


def test_metrics_without_predictions_are_compared_by_counts(project, report):
    (project.path / "reports/predictions.csv").unlink()
    project.git("commit", "--quiet", "--all", "--message=no predictions")
    project.git("tag", "without")
    project.results(*answers(cats=95, dogs=95))
    project.commit("better")
    text = report("--base", "without")[1]
    assert text.startswith("**Better**: accuracy 80.00 % → 95.00 %")
    assert "because base has no `reports/predictions.csv`" in text


@pytest.mark.parametrize(
    ("floor", "reason"),
    [
        (["--min-accuracy", "0.8"], "the accuracy 75.00 % is below the floor of 80.00 %"),
        (
            ["--max-drop", "0.04"],
            "the accuracy dropped by 5.00 percentage points, more than the 4.00 allowed",
        ),
        (["--min-accuracy", "0.75"], None),
        (["--max-drop", "0.05"], None),
    ],
)
def test_a_floor_refuses(project, report, floor, reason):
    project.results(*answers(cats=75, dogs=75))
    project.commit("lower")
    status, text, said = report("--base", "main", *floor)
    if reason is None:
        assert (status, said) == (0, "")
        assert "Refused" not in text
    else:
        assert (status, said) == (3, f"report: {reason}\n")
        assert text.startswith(f"**Refused:** {reason}.")


def test_the_picture_is_written_and_linked(project, report):
    text = report("--base", "main", "--picture", "out/both.png")[1]
    assert text.endswith("(out/both.png)\n")
    with Image.open("out/both.png") as picture:
        assert picture.width > 1000
    text = report(
        "--base", "main", "--picture", "out/both.png", "--picture-url", "https://example.com/1.png"
    )[1]
    assert text.endswith("(https://example.com/1.png)\n")
    text = report(
        "--base", "main", "--picture", "out/both.png", "--picture-link", "https://example.com/#artifacts"
    )[1]
    assert "![" not in text
    assert text.endswith("`out/both.png` is among [the files of this run](https://example.com/#artifacts).\n")


def test_class_names_cannot_break_the_tables(project, report):
    nasty = {"cat": "a|b <i>", "dog": "$x$ `y` *z*"}
    for cats in (80, 95):
        actual, predicted = ([nasty[name] for name in names] for names in answers(cats=cats, dogs=80))
        project.results(actual, predicted)
        project.commit("odd names")
    text = report("--base", "HEAD~1", "--picture", "both.png")[1]
    page = MarkdownIt("commonmark").enable("table").render(text)
    assert "<code>a|b &lt;i&gt;</code>" in page
    assert "<code>$x$ `y` *z*</code>" in page
    assert "<i>" not in page and "<em>" not in page


def test_damaged_predictions_of_either_side_are_one_clear_error(project, report):
    project.write("reports/predictions.csv", "index,actual\n")
    project.git("commit", "--quiet", "--all", "--message=damaged")
    for arguments in (["--base", "main"], ["--base", "HEAD", "--head", "main"]):
        status, text, said = report(*arguments)
        assert (status, text) == (2, "")
        assert said.startswith("report: error: reports/predictions.csv of ")
        assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("dvc.lock", "stages: ["),
        ("dvc.lock", "<<<<<<< HEAD\n"),
        ("dvc.yaml", "stages: 5\n"),
        ("params.yaml", "train: ["),
    ],
)
def test_files_that_dvc_cannot_read_are_errors_that_name_them(project, report, name, text):
    project.write(name, text)
    status, out, said = report("--base", "main")
    assert (status, out) == (2, "")
    assert said.startswith("report: error: ") and name in said


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("dvc.lock", "stages: {train: {deps: null}}\n"),
        ("params.yaml", "a: &a {b: *a}\n"),
        ("reports/metrics.json", f'{{"accuracy": 1, "images": {10**400}}}'),
    ],
)
def test_a_gate_passes_nothing_that_it_cannot_read(project, report, name, text):
    project.write(name, text)
    project.git("commit", "--quiet", "--all", "--message=bad")
    project.git("checkout", "--quiet", "main")
    for arguments in (["--base", "main", "--head", "proposal"], ["--base", "proposal"]):
        status, out, said = report(*arguments, "--max-drop", "1")
        assert (status, out, said.count("\n")) == (2, "", 1)
        assert name in said and "proposal" in said


@pytest.mark.parametrize("name", ["params.yaml", "reports/predictions.csv", "dvc.yaml", "code/train.py"])
@pytest.mark.parametrize("target", ["/dev/zero", "/etc"])
def test_no_link_is_followed_out_of_the_repository(project, report, name, target):
    (project.path / name).unlink()
    (project.path / name).symlink_to(target)
    status, out, said = report("--base", "main", "--max-drop", "1")
    assert (status, out) == (2, "")
    assert said.startswith(
        f"report: error: {name} of the working tree: expected a file, or a link that stays"
    )


@pytest.mark.parametrize("kind", ["link", "folder"])
def test_what_is_no_plain_file_at_the_base_is_not_read(project, report, kind):
    metrics = project.path / "reports/metrics.json"
    metrics.unlink()
    if kind == "link":
        metrics.symlink_to("environment.json")
    else:
        project.write("reports/metrics.json/x", "")
    project.git("add", ".")
    project.git("commit", "--quiet", "--message=odd")
    status, out, said = report("--base", "proposal", "--head", "main", "--max-drop", "1")
    assert (status, out) == (2, "")
    assert "reports/metrics.json of proposal" in said and f"expected a plain file, received a {kind}" in said


def test_a_pipe_is_not_waited_for(project, report):
    (project.path / "params.yaml").unlink()
    os.mkfifo(project.path / "params.yaml")
    status, _, said = report("--base", "main")
    assert status == 2 and "params.yaml of the working tree: expected a plain file, received a device" in said


def test_the_verdict_has_room_whatever_comes_before_it(project, report):
    names = ["<" * 100_000 + str(number) for number in range(20)]
    project.results(names, names[::-1])
    pipeline = {
        name: {"cmd": "x", "deps": [f"{number}{20 * '猫'}" for number in range(20)]}
        for name in (f"stage{number}" for number in range(50))
    }
    project.dump("dvc.yaml", {**PIPELINE, "stages": {**PIPELINE["stages"], **pipeline}})
    status, text, said = report("--base", "main")
    assert status == 3
    assert "**Worse**: accuracy 80.00 % → 0.00 %" in text
    assert "and 41 more stages" in text and "and 15 more" in text
    assert len(text.encode()) < 65_536
    assert len(said) < 10_000


def test_an_unknown_revision_is_bad_input(project, report):
    for arguments in (["--base", "mian"], ["--base", "main", "--head", "mian"]):
        status, text, said = report(*arguments)
        assert (status, text) == (2, "")
        assert said.startswith("report: error: expected a Git revision or a DVC experiment, received 'mian'")


@pytest.mark.parametrize(
    "name", ["-x", "--help", "ma\nin", 5_000 * "x", "HEAD:params.yaml", "HEAD:reports", "HEAD^{tree}"]
)
def test_what_is_no_commit_is_no_revision(project, report, name):
    for arguments in ([f"--base={name}"], ["--base", "main", f"--head={name}"]):
        status, text, said = report(*arguments)
        assert (status, text, said.count("\n")) == (2, "", 1)
        assert said.startswith("report: error: expected a Git revision") and len(said) < 500


def test_a_folder_that_is_no_repository_is_bad_input(tmp_path, report, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, _, said = report("--base", "main")
    assert status == 2
    assert said.startswith("report: error: DVC cannot read the project")
    Repo.init(no_scm=True).close()
    status, _, said = report("--base", "main")
    assert status == 2
    assert "expected a Git repository with a commit" in said


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--base", "main", "--max-drop", "2"],
        ["--base", "main", "--min-accuracy", "high"],
        ["--base", "main", "--picture-url", "x"],
        ["--base", "main", "--picture-link", "x"],
        ["--base", "main", "--picture", "a.png", "--picture-url", "x", "--picture-link", "x"],
        ["--base", ""],
        ["--base", " ", "--max-drop", "0.1"],
        ["--base", "main", "--head", ""],
        ["--base", "main", "--picture", "a.png", "--picture-link", "javascript:alert(1)"],
        ["--base", "main", "--picture", "a.png", "--picture-url", " JavaScript:alert(1)"],
        ["--base", "main", "--picture", "a.png", "--picture-link", "java\tscript:alert(1)"],
        ["--base", "main", "--options", "--picture 'a.png"],
    ],
)
def test_bad_usage_has_the_status_of_bad_input(project, report, arguments):
    status, text, said = report(*arguments)
    assert (status, text) == (2, "")
    assert said.startswith("usage: ")


def test_the_command_line_is_a_module(project):
    done = subprocess.run(
        [sys.executable, "-m", "stages.review.report", "--base", "main", "--min-accuracy", "0.9"],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(PROJECT), "PYTHONIOENCODING": "cp1252"},
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 3
    assert "→" in done.stdout
    assert done.stdout.startswith("**Refused:** the accuracy 80.00 %")


@pytest.mark.parametrize("changes", [1, 21])
def test_the_names_of_stages_are_code(changes):
    text = sections.stages({"a|b <i>": [f"<b>{number}" for number in range(changes)]})
    page = MarkdownIt("commonmark").render(text)
    assert page.count("<code>a|b &lt;i&gt;</code>") == (1 if changes == 1 else 2)
    assert page.count("<code>&lt;b&gt;") == changes
