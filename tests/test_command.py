"""A stage from the command line: its arguments, its exit status and what it says."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stages.running import command, errors, outputs, paramfile

ROOT = Path(__file__).parents[1]


class Params(paramfile.Section):
    words: str


@pytest.fixture
def arguments(tmp_path, monkeypatch):
    """Command-line arguments for a stage `subset` that reads `words` and writes the file `copied`."""
    (tmp_path / "params.yaml").write_text("subset: {words: hello}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["subset", "copied"])
    return sys.argv


def test_a_stage_gets_its_params_and_its_paths(arguments, tmp_path):
    def subset(params: Params, target: Path) -> None:
        target.write_text(params.words)

    command.run(subset, Params)
    assert (tmp_path / "copied").read_text() == "hello"


def test_the_params_file_can_be_another(arguments, tmp_path):
    (tmp_path / "other.yaml").write_text("subset: {words: bye}\n")
    arguments += ["--params", "other.yaml"]

    def subset(params: Params, target: Path) -> None:
        target.write_text(params.words)

    command.run(subset, Params)
    assert (tmp_path / "copied").read_text() == "bye"


def test_a_missing_path_is_a_usage_error_that_names_it(arguments, capsys):
    def subset(params: Params, target: Path, report: Path) -> None:
        raise AssertionError

    with pytest.raises(SystemExit) as exit:
        command.run(subset, Params)
    assert exit.value.code == 2
    assert "usage: python -m stages.subset" in (said := capsys.readouterr().err)
    assert "the following arguments are required: report" in said


def test_bad_input_ends_with_one_message(arguments):
    def subset(params: Params, target: Path) -> None:
        raise errors.BadInput("expected this, received that")

    with pytest.raises(SystemExit) as exit:
        command.run(subset, Params)
    assert exit.value.code == "subset: error: expected this, received that"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_reported_and_leaves_nothing_half_written(arguments, tmp_path, number):
    def subset(params: Params, target: Path) -> None:
        with outputs.folder(target) as partial:
            (partial / "first").write_text("whole")
            raise OSError(number, os.strerror(number), "second")

    with pytest.raises(SystemExit) as exit:
        command.run(subset, Params)
    assert str(exit.value.code).startswith("subset: error: no space left on the disk")
    assert os.listdir(tmp_path) == ["params.yaml"]


def test_an_interruption_ends_with_one_line(arguments, capsys):
    def subset(params: Params, target: Path) -> None:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as ended:
        command.run(subset, Params)
    assert ended.value.code == 130
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "git checkout reports && dvc checkout" in said


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ENOTDIR])
def test_a_place_that_cannot_be_written_is_named(arguments, number):
    def subset(params: Params, target: Path) -> None:
        raise OSError(number, os.strerror(number), "some/place")

    with pytest.raises(SystemExit, match=r"subset: error: expected a place .*'some/place'"):
        command.run(subset, Params)


@pytest.mark.parametrize(
    "defect", [ZeroDivisionError(), TimeoutError(errno.ETIMEDOUT, "slow"), KeyError("k")]
)
def test_a_defect_keeps_its_traceback(arguments, defect):
    def subset(params: Params, target: Path) -> None:
        raise defect

    with pytest.raises(type(defect)):
        command.run(subset, Params)


def test_bad_params_are_all_named_by_a_stage_that_writes_nothing(tmp_path):
    (tmp_path / "params.yaml").write_text(
        "subset: {clases: all, image_size: [8], limit_per_class: 0, val_fraction: 1.5,"
        " test_fraction: null, seed: 0}\n"
    )
    ended = subprocess.run(
        [
            sys.executable,
            "-m",
            "stages.subset",
            "raw",
            "arrays",
            "report.json",
            "page.png",
            "--params",
            "params.yaml",
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 1
    said = [line for line in ended.stderr.splitlines() if "params.yaml: subset" in line]
    assert said[0].startswith("subset: error: ")
    for problem in ("'classes'", "image_size", "limit_per_class", "val_fraction", "classes is missing"):
        assert any(problem in line for line in said), problem
    assert "Traceback" not in ended.stderr
    assert os.listdir(tmp_path) == ["params.yaml"]


def test_an_error_is_utf8_whatever_the_locale(tmp_path):
    (tmp_path / "params.yaml").write_text("subset: {猫: 1}\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "stages.subset", "raw", "arrays", "report.json", "page.png"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 1
    assert "猫" in done.stderr
