"""Package clients, played by shell scripts: fetching, failing, absent and stalled."""

import importlib.util
import os
import select
import sys

import pytest

from stages.running import errors, progress
from stages.sources import packages

NPM = packages.Package("npm", "some-images@1.0.0", 1000)
DEBIAN = packages.Package("debian", "some-images", 1000)
PYPI = packages.Package("pypi", "some-images==1.0.0", 1000)


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(packages, "POLL_SECONDS", 0.01)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "scratch").mkdir()
    return tmp_path / "scratch"


def refusal(package, folder):
    with pytest.raises(errors.Unreachable) as caught:
        packages.fetch(package, folder)
    return str(caught.value)


@pytest.fixture
def install(install, tmp_path, monkeypatch):
    """Put a program first on the PATH; Python, whose pip is asked, is found by sys.executable instead."""

    def put(program, script):
        install(program, script)
        if program == "python":
            monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))

    return put


@pytest.mark.parametrize(
    ("package", "program", "archive"),
    [
        (NPM, "npm", "some-images-1.0.0.tgz"),
        (DEBIAN, "apt-get", "some-images_1.0_all.deb"),
        (PYPI, "python", "some_images-1.0.0-py3-none-any.whl"),
    ],
)
def test_the_archive_a_client_leaves_in_the_folder_is_returned(install, folder, package, program, archive):
    install(program, f"echo fetched > {archive}; echo {archive}")
    path = packages.fetch(package, folder)
    assert path == folder / archive
    assert path.read_text() == "fetched\n"


@pytest.mark.parametrize(
    ("package", "program", "verb"),
    [(NPM, "npm", "pack"), (DEBIAN, "apt-get", "download"), (PYPI, "python", "-P -m pip download")],
)
def test_the_client_is_asked_for_the_package_once(install, folder, tmp_path, package, program, verb):
    install(program, f'echo "$@" >> {tmp_path}/asked; touch a.tgz a.deb a.whl')
    packages.fetch(package, folder)
    (asked,) = (tmp_path / "asked").read_text().splitlines()
    assert asked.startswith(f"{verb} ")
    assert asked.split()[-1] == package.name


@pytest.fixture
def silent_terminal():
    """A standard input on which nobody answers."""
    ours, (reading, writing) = os.dup(0), os.pipe()
    os.dup2(reading, 0)
    yield
    os.dup2(ours, 0)
    for descriptor in (ours, reading, writing):
        os.close(descriptor)


def test_a_client_cannot_wait_for_an_answer_from_the_terminal(install, folder, silent_terminal, monkeypatch):
    monkeypatch.setattr(packages, "STALL_SECONDS", 3)
    install("npm", "read answer; touch a.tgz")
    assert packages.fetch(NPM, folder) == folder / "a.tgz"


def test_a_failing_client_is_quoted_with_its_status(install, folder):
    install("npm", "echo 'npm error 404 Not Found' >&2; exit 3")
    said = refusal(NPM, folder)
    assert said == "npm package some-images@1.0.0: npm failed with status 3: npm error 404 Not Found"


def test_a_client_that_fails_after_writing_is_not_believed(install, folder):
    install("npm", "touch a.tgz; exit 1")
    assert "npm failed with status 1" in refusal(NPM, folder)


def test_a_client_that_leaves_no_archive_has_failed(install, folder):
    install("npm", "echo nothing to do")
    assert "npm failed with status 0: nothing to do" in refusal(NPM, folder)


@pytest.mark.parametrize(
    ("package", "program", "mark"),
    [
        (NPM, "npm", "npm error"),
        (DEBIAN, "apt-get", "E:"),
        (PYPI, "python", "ERROR:"),
        (PYPI, "python", "WARNING: Retrying"),
    ],
)
def test_of_all_a_client_says_its_errors_are_quoted(install, folder, package, program, mark):
    install(program, f"echo a notice; echo '{mark} no such host'; echo '{mark} try again'; exit 1")
    assert refusal(package, folder).endswith(f"status 1: {mark} no such host; {mark} try again")


def test_only_the_beginning_of_a_long_complaint_is_quoted(install, folder):
    install("npm", "for i in 1 2 3 4 5 6 7 8 9; do echo npm error line $i; done; exit 1")
    said = refusal(NPM, folder)
    assert "line 1" in said
    assert "line 4" not in said


def test_a_missing_client_is_named(tmp_path, folder, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert refusal(NPM, folder) == "npm package some-images@1.0.0: the program npm is not installed"


def test_a_python_without_pip_is_told_how_to_get_it(folder, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    said = refusal(PYPI, folder)
    assert said.startswith(f"pypi package some-images==1.0.0: {sys.executable} has no pip; install it with")


def test_what_pip_is_receiving_is_seen_to_grow(install, folder, monkeypatch):
    monkeypatch.setattr(packages, "STALL_SECONDS", 0.5)
    growing = "for i in 1 2 3 4 5 6 7 8; do head -c 99 /dev/zero >> $TMPDIR/part; sleep 0.1; done"
    install("python", f"{growing}; touch a.whl")
    assert packages.fetch(PYPI, folder) == folder / "a.whl"


def test_a_stalled_client_is_ended_with_its_children(install, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(packages, "STALL_SECONDS", 0.3)
    os.mkfifo(tmp_path / "held")
    held = os.open(tmp_path / "held", os.O_RDONLY | os.O_NONBLOCK)
    install("npm", f"echo resolving; sleep 60 > {tmp_path}/held & wait")
    assert "npm received nothing for 0.3 s. resolving" in refusal(NPM, folder)
    readable, _, _ = select.select([held], [], [], 30)  # at its end, once no child holds it open
    assert readable
    assert os.read(held, 1) == b""
    os.close(held)


def test_a_client_that_has_everything_may_take_time_to_finish(install, folder, monkeypatch):
    monkeypatch.setattr(packages, "STALL_SECONDS", 0)
    install("npm", "head -c 2000 /dev/zero > a.tgz; sleep 0.2")
    assert packages.fetch(NPM._replace(size=0), folder) == folder / "a.tgz"


def test_progress_ends_at_the_known_size(install, folder, capfd, monkeypatch):
    monkeypatch.setattr(progress, "LOG_SECONDS", 0)
    install("npm", "head -c 5000 /dev/zero > a.tgz; sleep 0.1")
    packages.fetch(NPM._replace(size=2048), folder)
    lines = capfd.readouterr().err.splitlines()
    assert {line.split(",")[0] for line in lines} == {"npm package some-images@1.0.0: 2.00k of 2.00kB"}
