"""A stage from the command line: its arguments, its exit status and what it says."""

import errno
import os
import re
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

from stages.running import command, errors, outputs, paramfile

ROOT = Path(__file__).parents[1]


class Params(paramfile.Section):
    words: str


@pytest.fixture(autouse=True)
def heard():
    """Let Ctrl-C be heard, also where the tests run in the background, which has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


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


def test_bad_input_ends_with_one_message(arguments, capsys):
    def subset(params: Params, target: Path) -> None:
        raise errors.BadInput("expected this, received that")

    with pytest.raises(SystemExit) as ended:
        command.run(subset, Params)
    assert ended.value.code == 1
    assert capsys.readouterr().err == "subset: error: expected this, received that\n"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_reported_and_leaves_nothing_half_written(arguments, tmp_path, capsys, number):
    def subset(params: Params, target: Path) -> None:
        with outputs.folder(target) as partial:
            (partial / "first").write_text("whole")
            raise OSError(number, os.strerror(number), "second")

    with pytest.raises(SystemExit):
        command.run(subset, Params)
    assert capsys.readouterr().err.startswith("subset: error: no space left on the disk")
    assert os.listdir(tmp_path) == ["params.yaml"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_ends_with_one_line(arguments, tmp_path, capsys, number):
    before = signal.getsignal(number)

    def subset(params: Params, target: Path) -> None:
        with outputs.folder(target):
            signal.raise_signal(number)

    with pytest.raises(SystemExit) as ended:
        command.run(subset, Params)
    assert ended.value.code == 128 + number
    assert signal.getsignal(number) is before
    assert os.listdir(tmp_path) == ["params.yaml"]
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "git checkout reports && dvc checkout" in said


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            OSError(errno.EROFS, "Read-only", "some/place"),
            "a place that can be read and written.*'some/place'",
        ),
        (OSError(errno.EFBIG, "Too large", "some/place"), "a higher limit of a file's size.*'some/place'"),
        (OSError(errno.EMFILE, "Too many", "some/place"), "a higher limit of open files"),
        (FileNotFoundError(errno.ENOENT, "No usable temporary directory"), "No usable temporary directory"),
        (MemoryError("Unable to allocate 7 GiB"), "expected more memory .*7 GiB"),
        (
            tf.errors.ResourceExhaustedError(None, None, "OOM when allocating\nmore"),
            "expected more memory .*OOM",
        ),
        (tf.errors.OutOfRangeError(None, None, "some/place; File too large"), "some/place; File too large"),
        (RuntimeError("can't start new thread"), "a higher limit of threads"),
    ],
)
def test_what_the_machine_lacks_is_named_in_one_line(arguments, capsys, error, said):
    def subset(params: Params, target: Path) -> None:
        raise error

    with pytest.raises(SystemExit) as ended:
        command.run(subset, Params)
    assert ended.value.code == 1
    line = capsys.readouterr().err
    assert line.count("\n") == 1 and re.match(f"subset: error: .*{said}", line)


@pytest.mark.parametrize(
    "defect",
    [
        ZeroDivisionError(),
        KeyError("k"),
        RuntimeError("?"),
        OSError("damaged"),
        tf.errors.AbortedError(None, None, ""),
    ],
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


def python_m(module, *arguments, **options):
    """Run a module of this project; give its exit status, standard output and standard error."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=options.pop("stdout", subprocess.PIPE),
        stderr=options.pop("stderr", subprocess.PIPE),
        text=True,
        **options,
    )
    return done.returncode, done.stdout, done.stderr


COMMAND = """
import signal
from pathlib import Path
from stages.running import ending, outputs, progress
{imported}
with ending.told("command"):
    with progress.bar(1, "work", "images") as bar:
        bar.update(1)
    with outputs.file(Path("out")) as partial:
        partial.write_text("whole")
    print("done")
"""


@pytest.fixture
def run_command(tmp_path, monkeypatch):
    """Run a module as `python -m stages.NAME`, with a line of its own among the imports."""
    package = tmp_path / "stages"
    package.mkdir()
    (package / "__init__.py").write_text((ROOT / "stages/__init__.py").read_text())
    (package / "running").symlink_to(ROOT / "stages/running")
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)

    def run(imported="", **options):
        (package / "work.py").write_text(COMMAND.format(imported=imported))
        return python_m("stages.work", cwd=tmp_path, **options)

    return run


@pytest.mark.parametrize("closed", [[1], [2], [0, 1, 2]])
def test_closed_streams_are_no_files(run_command, tmp_path, closed):
    status, _, _ = run_command(preexec_fn=lambda: list(map(os.close, closed)))
    assert (status, (tmp_path / "out").read_text()) == (0, "whole")


def test_a_full_standard_output_is_no_full_disk(run_command):
    with open("/dev/full", "w") as full:
        status, _, said = run_command(stdout=full)
    assert status == 1
    assert said.splitlines()[-1].startswith(
        "command: error: what is printed cannot be written to standard output"
    )
    assert said.count("\n") == 2 and "Traceback" not in said


def test_progress_that_nobody_can_read_stops_no_work(run_command):
    with open("/dev/full", "w") as full:
        assert run_command(stderr=full)[:2] == (0, "done\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_import_ends_in_one_line(run_command, number):
    assert run_command(f"signal.raise_signal({number:d})") == (128 + number, "", "interrupted\n")


def test_an_import_that_the_machine_refuses_ends_in_one_line(run_command):
    status, _, said = run_command("open('nowhere/file')")
    assert (status, said.count("\n")) == (1, 1) and "nowhere/file" in said


def test_too_few_addresses_are_named(run_command):
    few = 1200 << 20
    status, _, said = run_command(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (few, few)))
    assert (status, said.count("\n")) == (1, 1)
    assert "expected more memory" in said and f"received a limit of {few:,}" in said
