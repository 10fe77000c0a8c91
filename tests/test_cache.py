"""The cache of fetched bytes, and what a killed run leaves in it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stages.sources import cache

HOLD = """
import sys
from stages.sources import cache
with cache.{what} as folder:
    (folder / "some").write_text("bytes")
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder():
    """A function that lets another process have a folder; it gives the process and the folder."""
    running = []

    def start(what="scratch()"):
        command = [sys.executable, "-c", HOLD.format(what=what)]
        root, pipe = Path(__file__).parents[1], subprocess.PIPE
        process = subprocess.Popen(command, cwd=root, text=True, stdin=pipe, stdout=pipe)
        running.append(process)
        return process, Path(process.stdout.readline().strip() if process.stdout else "")

    yield start
    for process in running:
        process.kill()
        process.communicate()


def left() -> list[str]:
    return sorted(path.relative_to(cache.folder()).as_posix() for path in cache.folder().rglob("*"))


def test_the_cache_is_in_the_users_folder_unless_set_elsewhere(monkeypatch, tmp_path):
    assert cache.folder() == tmp_path / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("IMAGE_PIPELINE_CACHE", "")
    assert cache.folder().name == "image-classification-pipeline"


def test_a_scratch_folder_is_removed_at_its_end_and_after_an_error():
    with pytest.raises(KeyboardInterrupt), cache.scratch() as folder:
        (folder / "some").touch()
        raise KeyboardInterrupt
    assert left() == []


def test_what_a_killed_run_left_is_swept_and_what_a_running_one_has_stays(holder):
    killed, of_killed = holder()
    _, of_running = holder()
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert of_killed.is_dir()
    with cache.scratch():
        assert not of_killed.exists()
        assert (of_running / "some").read_text() == "bytes"
    name = of_running.name
    assert left() == [name, f"{name}.lock", f"{name}/some"]


def test_a_kept_folder_has_what_was_left_there_until_it_is_empty():
    with cache.kept("partial", "name") as folder:
        (folder / "some").write_text("bytes")
    with cache.kept("partial", "name") as again:
        assert again == folder and (folder / "some").read_text() == "bytes"
        (folder / "some").unlink()
    assert left() == ["partial"]


def test_a_kept_folder_that_another_process_has_is_left_to_it(holder):
    _, of_running = holder("kept('partial', 'name')")
    with cache.kept("partial", "name") as folder:
        assert folder != of_running and list(folder.iterdir()) == []
    assert not folder.exists() and of_running.is_dir()


def test_what_nobody_has_gone_on_with_for_long_is_removed():
    with cache.kept("partial", "old") as folder:
        (folder / "some").touch()
    os.utime(folder, (0, 0))
    with cache.kept("partial", "new"):
        assert not folder.exists()
