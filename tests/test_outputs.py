"""Outputs are whole or absent, and equal values are equal bytes."""

import errno
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.running import documents, errors, outputs


def test_a_folder_appears_with_what_was_written(tmp_path):
    with outputs.folder(tmp_path / "deep" / "out") as partial:
        (partial / "file").write_text("new")
        assert not (tmp_path / "deep" / "out").exists()
    assert (tmp_path / "deep" / "out" / "file").read_text() == "new"
    assert os.listdir(tmp_path / "deep") == ["out"]


def test_a_folder_replaces_all_of_the_one_before(tmp_path):
    for name in ("old", "new"):
        with outputs.folder(tmp_path / "out") as partial:
            (partial / name).touch()
    assert os.listdir(tmp_path / "out") == ["new"]


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_failing_block_leaves_only_the_old_folder(tmp_path, failure):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "file").write_text("old")
    with pytest.raises(failure), outputs.folder(tmp_path / "out") as partial:
        (partial / "file").write_text("half")
        raise failure
    assert (tmp_path / "out" / "file").read_text() == "old"
    assert os.listdir(tmp_path) == ["out"]


def test_what_a_killed_run_left_behind_is_not_taken_over(tmp_path):
    (tmp_path / "out.partial").mkdir()
    (tmp_path / "out.partial" / "stale").touch()
    with outputs.folder(tmp_path / "out") as partial:
        (partial / "file").touch()
    assert os.listdir(tmp_path / "out") == ["file"]
    assert os.listdir(tmp_path) == ["out"]


def test_what_is_in_the_way_of_building_an_output_is_removed(tmp_path):
    (tmp_path / ".partial-file").mkdir()
    (tmp_path / "out.partial").touch()
    outputs.write_json(tmp_path / "file", {})
    with outputs.folder(tmp_path / "out"):
        pass
    assert sorted(os.listdir(tmp_path)) == ["file", "out"]


@pytest.mark.parametrize("output", [outputs.file, outputs.folder])
def test_an_error_of_the_system_names_the_output(tmp_path, output):
    with pytest.raises(OSError, match=r"out'$"), output(tmp_path / "out"):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_file_replaces_no_device(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(errors.BadInput, match="expected a plain file or nothing at"):
        outputs.write_json(tmp_path / "pipe", {})
    assert (tmp_path / "pipe").is_fifo()


def test_a_folder_replaces_no_file(tmp_path):
    (tmp_path / "place").write_text("kept")
    with pytest.raises(errors.BadInput, match="a folder or nothing"), outputs.folder(tmp_path / "place"):
        pass
    assert (tmp_path / "place").read_text() == "kept"


def test_a_file_keeps_its_suffix_while_it_replaces_the_old_one(tmp_path):
    path = tmp_path / "deep" / "figure.png"
    for content in ("old", "new"):
        with outputs.file(path) as partial:
            assert partial.suffix == ".png"
            partial.write_text(content)
    assert path.read_text() == "new"
    assert os.listdir(path.parent) == ["figure.png"]


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_a_failing_block_leaves_the_old_file_and_nothing_partial(tmp_path, failure):
    (tmp_path / "file").write_text("old")
    with pytest.raises(failure), outputs.file(tmp_path / "file") as partial:
        partial.write_text("half")
        raise failure
    assert (tmp_path / "file").read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


WHOLE = st.integers(-documents.LARGEST_NUMBER, documents.LARGEST_NUMBER)
LEAVES = st.none() | st.booleans() | WHOLE | st.floats(allow_nan=False, allow_infinity=False) | st.text()
JSON = LEAVES | st.lists(LEAVES, max_size=3) | st.dictionaries(st.text(), LEAVES, max_size=3)


@given(value=st.dictionaries(st.text(), JSON, max_size=4))
def test_json_reads_back_and_its_bytes_ignore_the_order_of_keys(tmp_path_factory, value):
    path = tmp_path_factory.getbasetemp() / "value.json"
    outputs.write_json(path, value)
    content = path.read_bytes()
    assert outputs.read_json(path) == value
    outputs.write_json(path, dict(reversed(value.items())))
    assert path.read_bytes() == content


def test_json_is_written_as_people_read_it(tmp_path):
    outputs.write_json(tmp_path / "value.json", {"b": 1, "a": "Schnürstiefel"})
    assert (tmp_path / "value.json").read_bytes() == '{\n  "a": "Schnürstiefel",\n  "b": 1\n}\n'.encode()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_not_in_json_leaves_the_old_file(tmp_path, value):
    outputs.write_json(tmp_path / "value.json", {"loss": 1})
    with pytest.raises(ValueError, match="JSON compliant"):
        outputs.write_json(tmp_path / "value.json", {"loss": value})
    assert outputs.read_json(tmp_path / "value.json") == {"loss": 1}


@pytest.mark.parametrize("kind", ["file", "folder", "nothing"])
def test_nothing_replaces_a_link(tmp_path, kind):
    target, link = tmp_path / "target", tmp_path / "link"
    {"file": target.touch, "folder": target.mkdir, "nothing": lambda: None}[kind]()
    link.symlink_to(target)
    for output in (outputs.file, outputs.folder):
        with pytest.raises(errors.BadInput, match=f"nothing at {link}, found something else"), output(link):
            pytest.fail("was begun")
    assert link.is_symlink()
