"""Two revisions are compared over seeds by the real `dvc`, on stages that take no time."""

import os
import re
import shutil
import signal
import subprocess
import sys

import psutil
import pytest

from stages.review import compare, project, report, sides
from tests import sandbox, small_pipeline


@pytest.fixture
def run(monkeypatch, capsys):
    """Run a command in this process: its exit status, its Markdown and its standard error."""

    def run(command, folder, *arguments):
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "argv", ["command", *arguments])
        status = 0
        try:
            command.main()
        except SystemExit as ended:
            status = int(ended.code or 0)
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """On branch `better`, whose params are new, with one training of main committed and one an experiment."""
    made = small_pipeline.create(tmp_path_factory.mktemp("compare") / "project")
    made.run("dvc", "repro")
    made.commit("first results")
    made.run("dvc", "exp", "run", "--temp", "--set-param", "train.seed=1")
    made.run("git", "switch", "--quiet", "--create", "better")
    made.set("train.rate", 0.9)
    made.commit("a better rate, not trained yet")
    return made


@pytest.fixture
def repository(template, tmp_path):
    """A copy in which nothing is compared yet."""
    return sandbox.Repository(shutil.copytree(template.path, tmp_path / "project", symlinks=True))


def command(repository, *arguments):
    """The words that compare in a process of their own, and the environment to find the project in."""
    words = [sys.executable, "-m", "stages.review.compare", "--base", "main", *arguments]
    return words, {**os.environ, "PYTHONPATH": str(sandbox.PROJECT)}


@pytest.fixture(scope="module")
def compared(template, tmp_path_factory):
    """A copy after a comparison over two seeds, what it printed, and which trainings it ran."""
    place = tmp_path_factory.mktemp("compared") / "project"
    made = sandbox.Repository(shutil.copytree(template.path, place, symlinks=True))
    before = small_pipeline.trained(template)
    words, environment = command(made, "--seeds", "2")
    done = subprocess.run(words, cwd=place, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return made, done.stdout, small_pipeline.trained(template)[len(before) :]


def test_only_what_is_missing_is_trained(compared):
    _, _, trained = compared
    assert trained == ["0.9-7", "0.9-0"]


def test_the_verdict_is_on_the_change(compared):
    _, text, _ = compared
    assert text.startswith("**Better**: mean accuracy ")
    assert "over 2 and 2 seeds" in text and "2 seeds a side find a difference of" in text
    assert re.search(r"^\| base \| 1, 7 \| 2 \| \d\d.\d\d % ± \d.\d\d \|", text, re.MULTILINE)
    assert re.search(r"^\| head \| 0, 7 \| 2 \| \d\d.\d\d % ± \d.\d\d \|", text, re.MULTILINE)
    assert re.search(r"^\| `accuracy` \| 0.\d+ ± 0.\d+ \| 0.\d+ ± 0.\d+ \| \+0.\d+ \|", text, re.MULTILINE)
    assert "| `train.rate` | 0.6 | 0.9 | +0.3 |" in text


def test_the_workspace_is_as_it_was(compared):
    made, _, _ = compared
    assert made.run("git", "status", "--porcelain") == ""
    assert len(made.run("git", "worktree", "list").splitlines()) == 1
    assert made.run("git", "branch", "--format=%(refname:short)").split() == ["better", "main"]


def test_a_second_comparison_trains_nothing(compared, template, run):
    made, text, _ = compared
    before = small_pipeline.trained(template)
    assert run(compare, made.path, "--base=main", "--seeds=2") == (0, text, "")
    assert small_pipeline.trained(template) == before


def test_the_report_has_one_row_for_experiments_over_seeds(compared, run):
    made, _, _ = compared
    made.run("dvc", "exp", "apply", "seed-7-" + made.run("git", "rev-parse", "HEAD")[:7])
    status, text, _ = run(report, made.path, "--base=main")
    made.run("git", "checkout", "--quiet", "--force", "better")
    assert status == 0
    assert text.startswith("**Better**: mean accuracy ") and "over 2 and 2 seeds" in text
    assert len(re.findall(r"^\| base \| 1, 7 \| 2 \|", text, re.MULTILINE)) == 1
    assert len(re.findall(r"^\| head \| 0, 7 \| 2 \|", text, re.MULTILINE)) == 1


def test_experiments_of_other_params_do_not_count(compared, run):
    made, _, _ = compared
    made.run("dvc", "exp", "apply", "seed-7-" + made.run("git", "rev-parse", "HEAD")[:7])
    made.set("train.rate", 0.8)
    made.run("dvc", "repro")
    status, text, _ = run(report, made.path, "--base=main")
    made.run("git", "checkout", "--quiet", "--force", "better")
    assert status == 0
    assert "**Better**: accuracy" in text and "a new seed alone may move" in text
    assert "| head | 7 | 1 |" in text and "| base | 1, 7 | 2 |" in text


def test_a_new_commit_takes_what_was_trained_from_the_run_cache(compared, template, run):
    made, _, _ = compared
    before = small_pipeline.trained(template)
    (made.path / "README.md").write_text("words\n")
    made.commit("words")
    status, text, _ = run(compare, made.path, "--base=main", "--seeds=2")
    made.run("git", "reset", "--quiet", "--hard", "HEAD~1")
    assert status == 0 and "over 2 and 2 seeds" in text
    assert small_pipeline.trained(template) == before


@pytest.mark.parametrize("seeds", ["five", "1", "101", "-3", "", "2.5"])
def test_a_number_of_seeds_that_is_none_is_one_line(repository, run, seeds):
    status, text, error = run(compare, repository.path, "--base=main", f"--seeds={seeds}")
    assert (status, text) == (2, "")
    assert error == (f"compare: error: expected SEEDS to be a whole number of 2 to 100, received {seeds!r}\n")


def test_a_base_that_is_no_revision_is_one_line(repository, run):
    status, text, error = run(compare, repository.path, "--base=nothing", "--seeds=2")
    assert (status, text) == (2, "")
    assert error.startswith("compare: error: expected a Git revision or a DVC experiment, received 'nothing'")


def test_a_base_without_a_seed_is_one_line(repository, run):
    repository.run("git", "switch", "--quiet", "--create", "seedless", "main")
    (repository.path / "params.yaml").write_text("train: {rate: 0.6}\n")
    repository.commit("no seed")
    repository.run("git", "switch", "--quiet", "better")
    status, text, error = run(compare, repository.path, "--base=seedless", "--seeds=2")
    assert (status, text) == (2, "")
    assert re.fullmatch(
        r"compare: error: expected a whole number train.seed in params.yaml of seedless \(\w{7}\), received"
        r" none; name a revision that has one\n",
        error,
    )


def test_uncommitted_changes_are_refused(repository, run):
    repository.set("train.rate", 0.95)
    status, text, error = run(compare, repository.path, "--base=main", "--seeds=2")
    assert (status, text) == (2, "")
    assert "received a working tree with uncommitted changes; commit them" in error


def test_a_side_is_not_compared_with_itself(repository, run):
    repository.run("git", "switch", "--quiet", "--create", "words", "main")
    (repository.path / "README.md").write_text("words\n")
    repository.commit("only words")
    status, text, error = run(compare, repository.path, "--base=main", "--seeds=2")
    assert (status, text) == (2, "")
    assert "expected a change to compare, received HEAD" in error


def test_a_training_that_fails_is_one_line_and_what_was_trained_stays(repository, run):
    repository.set("train.fail", True)
    repository.commit("fails")
    status, text, error = run(compare, repository.path, "--base=main", "--seeds=3")
    assert (status, text) == (2, "")
    assert "with train.seed=7 failed; what was trained before is kept. It ended with:\n" in error
    assert error.splitlines()[-1] == "train: error: expected a rate that works, received another"
    assert "Traceback" not in error
    names = repository.run("dvc", "exp", "list", "--all-commits", "--name-only").split()
    assert len(names) == 2 and f"seed-0-{repository.run('git', 'rev-parse', 'main')[:7]}" in names
    assert len(repository.run("git", "worktree", "list").splitlines()) == 1


def test_an_interruption_ends_all_and_leaves_no_working_tree(repository, tmp_path):
    started = tmp_path / "started"
    os.mkfifo(started)
    text = f"import os, time\nopen({str(started)!r}, 'w').write(str(os.getpid()))\ntime.sleep(100)\n"
    (repository.path / "code/train.py").write_text(text)
    repository.commit("a training that takes long")
    words, environment = command(repository, "--seeds", "2")
    running = subprocess.Popen(
        words,
        cwd=repository.path,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # tests in the background ignore it
    )
    with started.open() as opened:  # waits for the training
        training = int(opened.read())
    running.send_signal(signal.SIGINT)
    _, error = running.communicate(timeout=60)
    assert running.returncode == 128 + signal.SIGINT
    assert not psutil.pid_exists(training) or psutil.Process(training).status() == psutil.STATUS_ZOMBIE
    assert error.splitlines()[-1] == (
        "compare: interrupted; what was trained is kept, and the next run trains only what is missing"
    )
    assert len(repository.run("git", "worktree", "list").splitlines()) == 1
    assert repository.run("git", "status", "--porcelain") == ""
    kept = repository.run("git", "for-each-ref", "--format=%(refname:lstrip=4)", "refs/exps").split()
    assert len(kept) == 1 and "/" not in kept[0]  # the experiment of main, and nothing that DVC had begun


def test_pictures_that_git_does_not_have_need_not_be_in_the_copies(tmp_path):
    made = small_pipeline.create(tmp_path / "pictures")
    small_pipeline.add_pictures(made)
    made.run("dvc", "repro")
    made.commit("first results")
    with project.opened(made.path) as here, sides.opened(here, "main") as side:
        assert side.missing(2) == [0]
        side.train(0)
        assert [training.seed for training in side.trained()] == [0, 7]
