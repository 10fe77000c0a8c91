"""What the workflow files call: make targets and the scripts of .ci/."""

import re

import pytest
from ruamel.yaml import YAML

from tests import sandbox

yaml = YAML(typ="safe")
GITHUB = sorted((sandbox.PROJECT / ".github/workflows").glob("*.yml"))
ACTIONS = [
    (path.name, step["uses"])
    for path in GITHUB
    for job in yaml.load(path)["jobs"].values()
    for step in job["steps"]
    if "uses" in step
]
REPOSITORY = "repos/{owner}/{repo}"


def shell_lines():
    """Every shell line of the workflow files, with the file it is in."""
    for path in GITHUB:
        for job in yaml.load(path)["jobs"].values():
            for step in job["steps"]:
                yield from ((path.name, line) for line in step.get("run", "").splitlines())
    for job in yaml.load(sandbox.PROJECT / ".gitlab-ci.yml").values():
        script = job.get("script", []) if isinstance(job, dict) else []
        yield from ((".gitlab-ci.yml", line) for line in ([script] if isinstance(script, str) else script))


@pytest.mark.parametrize(("file", "command"), list(shell_lines()))
def test_every_step_also_runs_on_a_laptop(file, command):
    assert re.match(r"make |\.ci/", command)


@pytest.mark.parametrize(("file", "action"), ACTIONS)
def test_actions_are_pinned_by_their_commit(file, action):
    assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", action)


@pytest.mark.parametrize("path", GITHUB, ids=lambda path: path.name)
def test_a_workflow_may_only_read_unless_a_job_says_more(path):
    assert yaml.load(path)["permissions"] == {"contents": "read"}


@pytest.mark.long
def test_the_smoke_run_leaves_the_checkout_as_it_is(first_run, tmp_path):
    repository, _ = first_run
    clone = repository.clone(tmp_path / "clone")
    clone.use_this_environment()
    # What the first run has done comes from its cache.
    clone.run("dvc", "config", "cache.dir", str(repository.path / ".dvc/cache"))
    clone.commit("share a cache")
    clone.set("train.epochs", 0)
    before = clone.run("git", "status", "--porcelain", "--ignored")
    printed = clone.run("env", f"TMPDIR={tmp_path}", "make", "smoke")
    assert "Running stage 'subset'" in printed
    assert '"accuracy": 0.' in printed
    assert clone.run("git", "status", "--porcelain", "--ignored") == before
    assert [path.name for path in tmp_path.iterdir()] == ["clone"]


@pytest.fixture
def github(tmp_path, install):
    """A `gh` that lists the ids of earlier reports it is given, and logs what else it is asked."""

    def start(*earlier):
        log = tmp_path / "gh.log"
        listing = "".join(f"{each}\\n" for each in earlier)
        install(
            "gh", f"""case "$*" in *--jq*) printf '{listing}' ;; *) {{ echo "$*"; cat; }} >> {log} ;; esac"""
        )
        return log

    return start


def comment(tmp_path):
    (tmp_path / "report.md").write_text("# Accuracy 0.94\n")
    sandbox.Repository(sandbox.PROJECT).run(".ci/comment", "12", str(tmp_path / "report.md"))


def test_the_first_report_becomes_a_comment(github, tmp_path):
    log = github()
    comment(tmp_path)
    assert log.read_text().splitlines() == [
        f"api --silent --method POST {REPOSITORY}/issues/12/comments --field body=@-",
        "<!-- pipeline report -->",
        "# Accuracy 0.94",
    ]


def test_an_empty_report_becomes_no_comment(github, tmp_path):
    log = github(7)
    (tmp_path / "report.md").touch()
    done = sandbox.Repository(sandbox.PROJECT).attempt(".ci/comment", "12", str(tmp_path / "report.md"))
    assert done.returncode == 1
    assert "received an empty file" in done.stderr
    assert not log.exists()


def test_the_next_report_takes_the_place_of_the_first(github, tmp_path):
    log = github(7, 8)
    comment(tmp_path)
    assert log.read_text().startswith(
        f"api --silent --method PATCH {REPOSITORY}/issues/comments/8 --field body=@-\n"
    )
