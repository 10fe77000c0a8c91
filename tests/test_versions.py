"""Versions that made the results, against those that the requirements pin."""

import json

import pytest

from stages.review import revision, versions
from stages.running import errors

MADE = {"tensorflow": "2.21.0", "keras": "3.15.1", "numpy": "2.4.6", "python": "3.11.7"}
PINNED = """# made by make lock
keras==3.15.1
    # via tensorflow
numpy==2.4.6 ; python_version >= '3.11'
pillow==13.0.0
tensorflow==2.21.0 ; platform_machine != 'x86_64' or sys_platform != 'linux'
tensorflow-cpu==2.21.0 ; platform_machine == 'x86_64' and sys_platform == 'linux'
"""


def found(folder, made=MADE, pinned=PINNED):
    """The differences, in words; None leaves a file out."""
    (folder / "reports").mkdir()
    if made is not None:
        (folder / "reports/environment.json").write_text(json.dumps(made))
    if pinned is not None:
        (folder / "requirements.txt").write_text(pinned)
    return [str(each) for each in versions.differences(revision.in_folder(folder, "this tree"))]


def test_equal_versions_do_not_differ(tmp_path):
    assert found(tmp_path) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("keras==3.15.1", "keras==3.16.0"), "keras 3.15.1 instead of 3.16.0"),
        (("numpy==2.4.6", "numpy==2.4.7"), "numpy 2.4.6 instead of 2.4.7"),
        (("==2.21.0", "==2.22.0"), "tensorflow 2.21.0 instead of 2.22.0"),
        (("==2.21.0", "[and-cuda]==2.22.0"), "tensorflow 2.21.0 instead of 2.22.0"),
    ],
)
def test_each_bump_is_found(tmp_path, change, expected):
    assert found(tmp_path, pinned=PINNED.replace(*change)) == [expected]


def test_other_packages_do_not_matter(tmp_path):
    assert found(tmp_path, pinned=PINNED.replace("pillow==13", "pillow==14")) == []


def test_versions_are_compared_as_versions(tmp_path):
    assert found(tmp_path, made=MADE | {"keras": "3.15.1+cpu", "tensorflow": "2.21"}) == []


def test_a_version_that_was_not_recorded_differs(tmp_path):
    made = {name: version for name, version in MADE.items() if name != "numpy"}
    assert found(tmp_path, made=made) == ["numpy no version instead of 2.4.6"]


@pytest.mark.parametrize("missing", [{"made": None}, {"pinned": None}, {"pinned": "keras>=3\nnumpy==2.*\n"}])
def test_without_results_or_pins_there_is_nothing_to_compare(tmp_path, missing):
    assert found(tmp_path, **missing) == []


def test_requirements_that_are_no_text_are_bad_input(tmp_path):
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports/environment.json").write_text("{}")
    (tmp_path / "requirements.txt").write_bytes(b"keras==\xff")
    with pytest.raises(errors.BadInput, match=r"requirements\.txt of this tree: expected text in UTF-8"):
        versions.differences(revision.in_folder(tmp_path, "this tree"))
