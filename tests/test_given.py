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


def test_a_file_and_a_folder_are_taken(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    for place in (tmp_path, tmp_path / "file"):
        assert given.path(str(place), "download.images") == place
