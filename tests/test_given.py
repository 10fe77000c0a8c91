"""What a parameter names is a file or a folder that is there."""

import os

import pytest

from stages.running import errors, given


@pytest.mark.parametrize(
    ("name", "found"), [("missing", "nothing"), ("pipe", "something else"), ("/dev/zero", "something else")]
)
def test_what_is_no_file_and_no_folder_is_refused(tmp_path, name, found):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(errors.BadInput, match=f"^download.archive: expected .*, found {found}"):
        given.path(str(tmp_path / name), "download.archive")


@pytest.mark.parametrize("name", ["~a user who is not there/x", 5000 * "a", 3000 * "a/"])
def test_what_can_be_no_path_is_refused_in_a_line(name):
    with pytest.raises(
        errors.BadInput, match=r"^download.archive: expected a file or folder, received"
    ) as raised:
        given.path(name, "download.archive")
    assert len(str(raised.value)) < 400


def test_a_file_and_a_folder_are_taken(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    for place in (tmp_path, tmp_path / "file"):
        assert given.path(str(place), "download.images") == place
