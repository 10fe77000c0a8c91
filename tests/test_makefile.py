"""What a user names on make's command line is text, never a command."""

import os
import shutil
import subprocess

import pytest

from tests import sandbox

NAMED = {"BASE", "FORMAT", "IMAGES", "OPTIONS"}  # by the user, for targets
NAMES = [
    "x'; touch F; echo '",
    "x$(shell touch F)",
    "b';touch$IFS'F';'",
    "`touch F`",
    'a"; touch F; "',
    "$(BASE)",
]


@pytest.fixture
def project(tmp_path):
    """A Makefile whose Python prints the words that it is given, one a line."""
    shutil.copy(sandbox.PROJECT / "Makefile", tmp_path)
    environment = tmp_path / ".venv/bin"
    environment.mkdir(parents=True)
    (environment / "python").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (environment / "python").chmod(0o755)
    for name in ("requirements.txt", "requirements-export.txt"):
        (tmp_path / name).touch()
        (tmp_path / ".venv" / name).touch()
    return tmp_path


def test_without_git_the_remedy_is_named(project):
    (project / ".venv/bin/dvc").write_text("#!/bin/sh\nexit 1\n")
    (project / ".venv/bin/dvc").chmod(0o755)
    done = subprocess.run(["make", "repro"], cwd=project, capture_output=True, text=True)
    assert done.returncode == 2
    assert "run `.venv/bin/dvc config core.no_scm true`" in done.stderr


def words(project, *arguments, target="report", **variables):
    """The words that a target gives to its Python, after the module."""
    outside = {
        name: value for name, value in os.environ.items() if name not in NAMED
    }  # `make test` sets them
    done = subprocess.run(
        ["make", "-s", target, *arguments],
        cwd=project,
        env=outside | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()[2:]


@pytest.mark.parametrize("name", NAMES)
def test_a_base_on_the_command_line_is_one_word(project, name):
    assert words(project, f"BASE={name}") == [f"--base={name}", "--options="]
    assert not (project / "F").exists()


@pytest.mark.parametrize("name", NAMES)
def test_a_base_from_the_environment_is_one_word(project, name):
    assert words(project, BASE=name) == [f"--base={name}", "--options="]
    assert not (project / "F").exists()


@pytest.mark.parametrize("name", NAMES)
def test_options_are_one_word(project, name):
    assert words(project, f"OPTIONS={name}") == ["--base=main", f"--options={name}"]
    assert not (project / "F").exists()


@pytest.mark.parametrize("name", NAMES)
def test_a_comparison_over_seeds_gets_a_word_each(project, name):
    expected = [f"--base={name}", f"--seeds={name}"]
    assert words(project, f"BASE={name}", f"SEEDS={name}", target="compare") == expected
    assert words(project, target="compare", BASE=name, SEEDS=name) == expected
    assert words(project, target="compare") == ["--base=main", "--seeds=5"]
    assert not (project / "F").exists()


@pytest.mark.parametrize("name", NAMES)
def test_the_page_compares_with_a_base_that_is_one_word(project, name):
    assert words(project, f"BASE={name}", target="page") == [f"--base={name}"]
    assert words(project, target="page", BASE=name) == [f"--base={name}"]
    assert not (project / "F").exists()


def test_the_page_compares_with_nothing_unless_a_base_is_given(project):
    assert words(project, target="page") == []


@pytest.mark.parametrize("name", [*NAMES, "my photos", "-"])
def test_images_are_one_word(project, name):
    assert words(project, f"IMAGES={name}", target="predict") == ["--options=", "--", name]
    assert words(project, target="predict", IMAGES=name) == ["--options=", "--", name]
    assert not (project / "F").exists()


@pytest.mark.parametrize("name", NAMES)
def test_a_format_and_its_options_are_one_word_each(project, name):
    expected = [f"--options={name}", "--", name]
    assert words(project, f"FORMAT={name}", f"OPTIONS={name}", target="export") == expected
    assert words(project, target="export", FORMAT=name, OPTIONS=name) == expected
    assert not (project / "F").exists()


def test_the_format_is_onnx_unless_named(project):
    assert words(project, target="export") == ["--options=", "--", "onnx"]
