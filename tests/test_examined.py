"""Files are examined once: what was found is kept until they change, away from the pictures."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stages.decoding import examine
from stages.running import errors
from stages.sources import cache, examined, findings
from tests import pictures
from tests.pictures import put, write

NAMES = [f"cat/{number:02}.png" for number in range(30)]
AN_HOUR = 3_600_000_000_000  # nanoseconds


@pytest.fixture
def root(tmp_path):
    """Thirty pictures that were written an hour ago."""
    folder = write(tmp_path / "mine", *NAMES)
    for name in NAMES:
        settle(folder / name)
    return folder


def settle(path, ago=AN_HOUR) -> None:
    """Let a file be one that was written some nanoseconds ago."""
    then = time.time_ns() - ago
    os.utime(path, ns=(then, then))


@pytest.fixture
def calls(monkeypatch):
    """The names of the files that are decoded, in any order."""
    seen: list[str] = []
    original = examine.examine

    def counted(name, *rest):
        seen.append(name)
        return original(name, *rest)

    monkeypatch.setattr(examined.examine, "examine", counted)
    return seen


def look(root, names=NAMES, max_pixels=10_000) -> dict[str, findings.Found]:
    return dict(zip(names, examined.files(root, names, max_pixels), strict=True))


def test_what_is_found_is_in_the_order_of_the_files(root):
    for names in (NAMES, NAMES[::-1]):
        for name, found in zip(names, examined.files(root, names, 10_000), strict=True):
            content = (root / name).read_bytes()
            assert found.facts == examine.examine(name, content)
            assert (found.size, found.digest) == (len(content), examined.digest(content))
            assert (found.kind, found.detail) == ("", "")


def test_unchanged_files_are_not_opened_again(root, calls, monkeypatch):
    first = look(root)
    assert len(calls) == len(NAMES)
    monkeypatch.setattr(examined, "_examine", lambda path, _: pytest.fail(f"opened {path}"))
    assert look(root) == first


@pytest.mark.parametrize("name", ["a\rb.png", "a\nb.png", 'q"u,o.png', "猫.png", os.fsdecode(b"caf\xe9.png")])
def test_files_of_any_name_are_not_opened_again(root, calls, name):
    settle(put(root / name, pictures.png(1)))
    look(root, [*NAMES, name])
    look(root, [*NAMES, name])
    assert len(calls) == len(NAMES) + 1


def test_faulty_files_are_not_opened_again(root, monkeypatch):
    settle(put(root / "cat/notes.txt", b"no picture"))
    settle(put(root / "cat/empty.png"))
    names = ["cat/empty.png", "cat/notes.txt"]
    first = look(root, names)
    assert [found.kind for found in first.values()] == ["empty", "not_a_picture"]
    assert all(found.facts is None and found.detail for found in first.values())
    monkeypatch.setattr(examined, "_examine", lambda path, _: pytest.fail(f"opened {path}"))
    assert look(root, names) == first


CHANGES = {
    "content and time": (lambda path: put(path, path.read_bytes()[:-1] + b"!"), 2 * AN_HOUR),
    "size alone": (lambda path: put(path, path.read_bytes() + b"!"), AN_HOUR),
    "time alone": (lambda path: None, 2 * AN_HOUR),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_changes_is_examined_again(root, calls, change):
    before = look(root)
    path, of_path = root / NAMES[7], CHANGES[change]
    stamp = path.stat().st_mtime_ns
    of_path[0](path)
    os.utime(path, ns=(stamp, stamp)) if of_path[1] == AN_HOUR else settle(path, of_path[1])
    calls.clear()
    after = look(root)
    assert calls == [path.name]
    assert after[NAMES[7]].digest == examined.digest(path.read_bytes())
    assert {name for name in NAMES if after[name] != before[name]} == {NAMES[7]}


def test_a_missing_file_is_looked_for_again(root, calls):
    names = [*NAMES, "cat/late.png"]
    assert look(root, names)["cat/late.png"].kind == "missing"
    settle(put(root / "cat/late.png", pictures.png(1)))
    assert look(root, names)["cat/late.png"].kind == ""
    assert calls.count("late.png") == 1


def test_another_limit_of_pixels_examines_anew(root, calls):
    look(root)
    assert {found.kind for found in look(root, max_pixels=119).values()} == {"too_large"}
    assert len(calls) == 2 * len(NAMES)


def test_another_folder_has_a_memory_of_its_own(root, tmp_path):
    other = tmp_path / "other"
    settle(put(other / NAMES[0], pictures.png(99)))
    stamp = (root / NAMES[0]).stat().st_mtime_ns
    os.utime(other / NAMES[0], ns=(stamp, stamp))
    look(root)
    assert look(other, NAMES[:1])[NAMES[0]].digest == examined.digest(pictures.png(99))


def kept() -> Path:
    """The only file in which findings are kept."""
    (place,) = (cache.folder() / "examined").glob("*.sqlite")
    return place


def rows() -> int:
    """How many findings are kept."""
    with contextlib.closing(sqlite3.connect(kept())) as database:
        return database.execute("SELECT count(*) FROM files").fetchone()[0]


DAMAGE = {
    "empty": lambda data: b"",
    "cut": lambda data: data[: len(data) // 2],
    "cut in a field": lambda data: data[:-2],
    "no database": lambda data: b"\xff\x00\x81,\n" * 5000,
    "a page of zeros": lambda data: data[:4096] + bytes(4096) + data[8192:],
}
TEXTS = {"no JSON": ('"PNG"', '#PNG"'), "a value less": ('"PNG", ', ""), "no list": ('["', '{"')}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_memory_is_as_good_as_none(root, calls, kind):
    first = look(root)
    kept().write_bytes(DAMAGE[kind](kept().read_bytes()))
    require_looked_at_again(root, calls, first)


@pytest.mark.parametrize("kind", TEXTS)
def test_damaged_findings_are_as_good_as_none(root, calls, kind):
    first = look(root)
    with contextlib.closing(sqlite3.connect(kept())) as database, database:
        changed = database.execute("UPDATE files SET found = replace(found, ?, ?)", TEXTS[kind])
        assert changed.rowcount == rows()
    require_looked_at_again(root, calls, first)


def require_looked_at_again(root, calls, first):
    """Files are examined anew, with what was found `first`, and then no more."""
    calls.clear()
    assert look(root) == first
    assert calls
    calls.clear()
    assert look(root) == first
    assert calls == []


def test_a_memory_that_another_process_does_not_let_go_is_named(root, monkeypatch):
    look(root, NAMES[:3])
    monkeypatch.setattr(findings, "WAIT_SECONDS", 0)
    with contextlib.closing(sqlite3.connect(kept())) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(errors.BadInput, match=r"\.sqlite: .* cannot be kept there: database is locked;"):
            look(root)
    assert rows() == 3


def test_two_examinations_at_once_keep_what_both_have_found(root, calls, monkeypatch):
    monkeypatch.setattr(examined, "SAVED_SECONDS", -1)
    one, other = (examined.files(root, names, 10_000) for names in (NAMES, NAMES[::-1]))
    found = [next(files) for _ in range(12) for files in (one, other)]
    assert [each.digest for each in found[::2]] == [
        examined.digest((root / name).read_bytes()) for name in NAMES[:12]
    ]
    one.close()
    other.close()
    calls.clear()
    look(root)
    assert sorted(calls) == [name[4:] for name in NAMES[12:18]]


def test_many_files_are_examined_some_at_a_time(root, calls, monkeypatch):
    expected = look(root)
    monkeypatch.setattr(examined, "CHUNK", 7)
    assert look(root) == expected
    kept().unlink()
    assert look(root) == expected
    assert rows() == len(NAMES)


def test_an_interrupted_examination_goes_on(root, calls, monkeypatch):
    counted = examined.examine.examine

    def interrupted(name, *rest):
        if name == "20.png":
            raise KeyboardInterrupt
        return counted(name, *rest)

    monkeypatch.setattr(examined.examine, "examine", interrupted)
    done = []
    with pytest.raises(KeyboardInterrupt):
        for found in examined.files(root, NAMES, 10_000):
            done.append(found)
    monkeypatch.setattr(examined.examine, "examine", counted)
    assert len(done) == 20
    calls.clear()
    assert list(look(root).values())[:20] == done
    assert sorted(calls) == [name[4:] for name in NAMES[20:]]


def test_an_error_of_the_caller_loses_nothing(root, calls):
    going_on = examined.files(root, NAMES, 10_000)
    for _ in range(12):
        next(going_on)
    going_on.close()
    calls.clear()
    look(root)
    assert len(calls) == len(NAMES) - 12


def test_what_is_found_is_saved_on_the_way(root, calls, monkeypatch):
    monkeypatch.setattr(examined, "SAVED_SECONDS", -1)
    going_on = examined.files(root, NAMES, 10_000)
    for _ in range(11):
        next(going_on)
    monkeypatch.setattr(examined, "SAVED_SECONDS", 1000)
    calls.clear()
    look(root)  # while the first still waits, as if it had been killed
    going_on.close()
    kept = [name[4:] for name in NAMES[:10]]  # the last that was given is not yet saved
    assert not set(kept) & set(calls) and "10.png" in calls


def test_an_interruption_forgets_nothing_from_before(root, calls):
    look(root)
    settle(root / NAMES[0], 2 * AN_HOUR)
    going_on = examined.files(root, NAMES, 10_000)
    next(going_on)
    going_on.close()
    calls.clear()
    look(root)
    assert calls == []


def test_files_that_are_gone_are_forgotten(root):
    look(root)
    look(root, NAMES[:3])
    assert rows() == 3


@pytest.mark.parametrize("ago", [0, 1_000_000_000, -AN_HOUR])
def test_files_written_just_now_are_not_trusted(root, calls, ago):
    settle(root / NAMES[3], ago)
    look(root)
    calls.clear()
    look(root)
    assert calls == ["03.png"]


def test_a_file_read_just_after_it_was_written_stays_untrusted(root, calls, monkeypatch):
    """A clock of whole seconds gives a later writing the same time; that the saving is late is no help."""
    stamp = (root / NAMES[0]).stat().st_mtime_ns
    monkeypatch.setattr(examined.time, "time_ns", lambda: stamp + 1_000_000_000)
    going_on = examined.files(root, NAMES[:1], 10_000)
    next(going_on)
    monkeypatch.setattr(examined.time, "time_ns", lambda: stamp + AN_HOUR)
    assert list(going_on) == []
    calls.clear()
    look(root, NAMES[:1])
    assert calls == ["00.png"]


def test_nothing_is_written_beside_the_pictures(root):
    def state():
        return {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in [root, *root.rglob("*")]}

    before = state()
    for folder in (root / "cat", root):
        folder.chmod(0o555)
    try:
        assert all(found.facts for found in look(root).values())
    finally:
        for folder in (root, root / "cat"):
            folder.chmod(0o755)
    assert state() == before


def test_a_file_that_is_too_large_is_not_read(root, monkeypatch):
    monkeypatch.setattr(examined, "LARGEST_FILE", 10)
    size = (root / NAMES[0]).stat().st_size
    found = look(root, NAMES[:1])[NAMES[0]]
    assert (found.kind, found.digest) == ("too_large", "")
    assert found.detail == f"expected a file of at most 10 bytes, received {size}"


def test_a_file_that_cannot_be_read_is_a_fault(root, monkeypatch):
    def forbidden(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(examined.Path, "read_bytes", forbidden)
    found = look(root, NAMES[:1])[NAMES[0]]
    assert (found.kind, found.detail) == ("unreadable", "cannot be read: Permission denied")


SCRIPT = """
import os, runpy, signal, sys
from stages.decoding import examine
from stages.sources import examined
examined.SAVED_SECONDS = 0.01
original, seen = examine.examine, []
def counted(name, *rest):
    seen.append(name)
    if len(seen) == 250:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(name, *rest)
examined.examine.examine = counted
runpy.run_module("stages.download", run_name="__main__")
"""
PARAMS = """
download:
  dataset: {name: folder, faults: error, max_fault_share: 0.01, max_pixels: 10000, group: null}
  images: mine
  source: auto
  archive: mine
"""


def test_a_killed_download_of_own_pictures_goes_on(tmp_path, calls):
    names = pictures.numbered(pictures.CLASSES, 150)
    for name in names:
        settle(put(tmp_path / "mine" / name, pictures.png(pictures.hash_of(name))))
    put(tmp_path / "params.yaml", PARAMS.encode())
    command = [sys.executable, "-c", SCRIPT, "raw", "faults.csv"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    killed = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True)
    assert killed.returncode == -signal.SIGKILL
    known = rows()
    pictures.downloaded(tmp_path / "mine", tmp_path / "raw")
    assert known > 0 and len(calls) == len(names) - known
    assert len((tmp_path / "raw" / "index.csv").read_text().splitlines()) == len(names) + 1
