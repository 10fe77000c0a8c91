"""Pictures in folders of classes, as people keep them: which are taken, which are named, which refused."""

import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from stages.datasets import folder
from stages.running import errors, paramfile
from stages.sources import index, listing
from tests import pictures
from tests.pictures import NFC, NFD, collected, put, write


def labels(root: Path, group: str | None = None) -> dict[str, str]:
    """The class of each picture by its path."""
    return {entry.path: entry.label for entry in folder.entries(root, group).entries}


def splits(root: Path) -> dict[str, str]:
    return {entry.path: entry.split for entry in folder.entries(root).entries}


def refusal(root: Path) -> str:
    with pytest.raises(errors.BadInput) as caught:
        folder.entries(root)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def mine(tmp_path):
    """Three pictures of cats and three of dogs, in a folder of their own."""
    return write(tmp_path / "mine", *pictures.numbered(["cat", "dog"], 3))


def faults(root: Path, tmp_path: Path) -> dict[str, str]:
    """The kind of each fault by its path."""
    return {fault.path: fault.kind for fault in collected("folder", root, tmp_path / "raw").faults}


def test_a_folder_is_a_class(mine):
    listed = folder.entries(mine)
    assert listed.classes == ["cat", "dog"]
    assert [(entry.label, entry.split, entry.group) for entry in listed.entries] == [("cat", "", "")] * 3 + [
        ("dog", "", "")
    ] * 3
    assert (listed.faults, listed.remarks) == ([], [])


def test_folders_inside_a_class_belong_to_it(mine):
    write(mine, "cat/a/x.png", "cat/b/c/y.png", "dog/a/x.png")
    found = labels(mine)
    assert (found["cat/a/x.png"], found["cat/b/c/y.png"], found["dog/a/x.png"]) == ("cat", "cat", "dog")
    assert len(found) == 9


@pytest.mark.parametrize("spelt", [str.lower, str.upper, str.title])
@pytest.mark.parametrize("name", listing.SPLITS)
def test_every_usual_name_of_a_split_is_known_in_any_case(tmp_path, name, spelt):
    split = listing.SPLITS[name]
    train = [] if split == "train" else pictures.numbered(["cat", "dog"], 1, "train/")
    root = write(tmp_path, *train, *pictures.numbered(["cat", "dog"], 1, f"{spelt(name)}/"))
    found = splits(root)
    assert {path: found[path] for path in found if path.startswith(spelt(name))} == {
        f"{spelt(name)}/cat/000.png": split,
        f"{spelt(name)}/dog/000.png": split,
    }
    assert folder.entries(root).classes == ["cat", "dog"]


def test_the_usual_names_of_splits_are_these():
    names = "train training val valid validation dev test testing eval evaluation"
    assert sorted(listing.SPLITS) == sorted(names.split())


def test_the_classes_are_those_of_all_splits(tmp_path):
    root = write(tmp_path, "train/ant/1.png", "train/cat/1.png", "val/bee/1.png", "test/cat/1.png")
    assert folder.entries(root).classes == ["ant", "bee", "cat"]


def test_classes_are_sorted_by_the_numbers_in_their_names(tmp_path):
    names = ["class 10", "class 2", "Class 1", "b", "A", "10", "9", "x10y2", "x10y10", "x9"]
    root = write(tmp_path, *pictures.numbered(names, 1))
    ordered = ["9", "10", "A", "b", "Class 1", "class 2", "class 10", "x9", "x10y2", "x10y10"]
    assert folder.entries(root).classes == ordered


def test_numbers_in_names_may_be_long_or_foreign():
    names = ["a" + "9" * 5000, "a1" + "0" * 5000, "a3", "a٢", "a007", "a7"]
    assert sorted(names, key=listing.natural) == ["a٢", "a3", "a007", "a7", names[0], names[1]]


@pytest.mark.parametrize("names", [("Cats", "cats"), (NFC, NFD), ("STRASSE", "straße")])
@pytest.mark.parametrize("prefixes", [("", ""), ("train/", "test/")])
def test_classes_that_differ_only_in_case_or_accents_are_refused(tmp_path, names, prefixes):
    one, other = (f"{prefix}{name}/1.png" for prefix, name in zip(prefixes, names, strict=True))
    said = refusal(write(tmp_path, one, other, f"{prefixes[0]}dog/1.png"))
    assert all(repr(name) in said for name in names) and "rename one" in said


@pytest.mark.parametrize("inside", ["dog", "Dog", "train", "cat", "EVAL"])
def test_a_class_or_split_inside_a_class_is_refused(mine, inside):
    said = refusal(write(mine, f"cat/more/{inside}/x.png"))
    assert f"1: cat/more/{inside}/x.png; move or rename" in said


def test_splits_inside_classes_are_refused(tmp_path):
    said = refusal(write(tmp_path, "cat/train/1.png", "cat/test/1.png", "dog/train/1.png", "dog/test/1.png"))
    assert "expected no folder of a class or split inside" in said and "4: cat/test/1.png" in said


def test_folders_of_splits_beside_folders_of_classes_are_refused(mine):
    said = refusal(write(mine, "Train/cat/x.png"))
    assert "found both: Train beside 2: cat, dog" in said


def test_two_folders_for_one_split_are_refused(tmp_path):
    root = write(tmp_path, *(f"{split}/{name}/1.png" for split in ("train", "val", "dev") for name in "ab"))
    assert "one folder per split, found dev, train, val" in refusal(root)


def test_splits_without_one_for_training_are_refused(tmp_path):
    root = write(tmp_path, *(f"{split}/{name}/1.png" for split in ("val", "test") for name in "ab"))
    assert "expected a folder train, found only test, val" in refusal(root)


@pytest.mark.parametrize("inside", ["", ".DS_Store"])
def test_a_class_without_pictures_is_named(mine, inside):
    (mine / "emu").mkdir()
    if inside:
        put(mine / "emu" / inside)
    assert "found none in 'emu'; add some, or remove the folder" in refusal(mine)


def test_a_class_may_be_empty_in_one_split(tmp_path):
    root = write(tmp_path, "train/cat/1.png", "train/dog/1.png", "val/cat/1.png")
    (root / "val/dog").mkdir()
    assert folder.entries(root).classes == ["cat", "dog"]


def test_a_class_that_is_empty_in_its_only_split_is_named(tmp_path):
    root = write(tmp_path, "train/cat/1.png", "train/dog/1.png", "val/cat/1.png")
    (root / "val/emu").mkdir()
    assert "found none in 'emu'" in refusal(root)


@pytest.mark.parametrize(
    ("names", "found"), [(["cat/1.png"], "cat"), (["train/cat/1.png"], "cat"), (["1.png", "2.png"], "none")]
)
def test_fewer_than_two_classes_are_refused(tmp_path, names, found):
    said = refusal(write(tmp_path, *names))
    assert said == f"{tmp_path}: expected at least two classes of pictures, found {found}"


def test_pictures_in_no_class_are_faults(tmp_path):
    root = write(tmp_path / "a", "stray.png", "train/too.JPG", "train/cat/1.png", "train/dog/1.png")
    assert faults(root, tmp_path) == {"stray.png": "no_class", "train/too.JPG": "no_class"}


def test_other_files_in_no_class_are_counted_and_ten_are_named(mine):
    for number in range(12):
        put(mine / f"note {number:02}.txt", b"x")
    (remark,) = folder.entries(mine).remarks
    ten = ", ".join(f"note {number:02}.txt" for number in range(10))
    assert remark == f"left out, in no class's folder: 12: {ten}, ..."
    assert folder.entries(mine).faults == []


def test_a_file_that_is_no_picture_in_a_class_is_a_fault(mine, tmp_path):
    put(mine / "cat/notes.txt", b"a cat")
    put(mine / "dog/empty.png")
    assert faults(mine, tmp_path) == {"cat/notes.txt": "not_a_picture", "dog/empty.png": "empty"}


LEFT = [
    *("cat/.hidden.png", "cat/._000.png", "cat/.DS_Store", "dog/Thumbs.db", "dog/desktop.ini"),
    *("cat/@eaDir/000.png", "__MACOSX/cat/._000.png", ".git/config", "dog/Icon\r", ".cache/emu/1.png"),
]


@pytest.mark.parametrize("name", LEFT)
def test_what_systems_leave_behind_is_no_picture_and_no_class(mine, name):
    write(mine, name)
    listed = folder.entries(mine)
    assert (listed.classes, len(listed.entries), listed.faults) == (["cat", "dog"], 6, [])
    shown = name.replace("\r", "\\r")
    assert listed.remarks == [f"left out, as systems leave such files behind: 1: {shown}"]


def test_what_git_needs_in_a_folder_is_not_remarked_on(mine):
    write(mine, ".gitignore", "cat/.gitkeep")
    assert folder.entries(mine).remarks == []


@pytest.mark.parametrize("name", ["cat/UPPER.PNG", "cat/odd.jpeg", "cat/none", "dog/a.b.c"])
def test_the_suffix_of_a_picture_does_not_matter(mine, tmp_path, name):
    write(mine, name)
    found = collected("folder", mine, tmp_path / "raw")
    assert found.faults == []
    assert name in index.read(tmp_path / "raw")[1]["train"][0].facts["path"]


ODD_NAMES = [
    "naïve 猫 🐈",
    "a\nb",
    "a\rb",
    "q\"u'o",
    "co,mma",
    " lead",
    "-x",
    "NA",
    "007",
    "$x$",
    "a\\b",
    "\x1b[31m",
]
LATIN = os.fsdecode(b"caf\xe9")  # not UTF-8


@pytest.mark.parametrize(("label", "name"), [*((name, name) for name in ODD_NAMES), ("cat", LATIN)])
def test_any_name_of_a_file_or_class_is_read_back(tmp_path, label, name):
    root = write(tmp_path / "mine", f"{label}/1.png", f"dog/{name}.png", "dog/2.png")
    collected("folder", root, tmp_path / "raw")
    classes, read = index.read(tmp_path / "raw")
    images, numbers = read["train"]
    assert set(classes) == {label, "dog"}
    paths = images.facts["path"].tolist()
    assert set(paths) == {f"{label}/1.png", f"dog/{name}.png", "dog/2.png"}
    for position, path in enumerate(paths):
        assert classes[numbers[position]] == path.split("/")[0]
        assert (pictures.decoded(images)[position] == pictures.pixels(pictures.hash_of(path))).all()


def test_a_class_whose_name_is_not_utf8_is_refused(mine):
    said = refusal(write(mine, f"{LATIN}/1.png"))
    assert said == rf"{mine}: expected names of classes in UTF-8, found 'caf\udce9'; rename it"


def test_names_in_messages_stay_in_their_line():
    assert listing.named(["a\nb", "\x1b[31m", "é猫", os.fsdecode(b"\xe9")]) == (
        r"4: a\nb, \x1b[31m, é猫, \udce9"
    )


def test_links_to_files_and_folders_are_followed(mine, tmp_path):
    outside = write(tmp_path / "outside", "a.png", "more/b.png")
    (mine / "cat/link.png").symlink_to(outside / "a.png")
    (mine / "emu").symlink_to(outside / "more")
    found = labels(mine)
    assert (found["cat/link.png"], found["emu/b.png"]) == ("cat", "emu")
    assert faults(mine, tmp_path) == {}


def test_a_circle_of_links_ends(mine):
    (mine / "cat/up").symlink_to(mine)
    (mine / "dog/self").symlink_to(mine / "dog")
    assert len(labels(mine)) == 6


@pytest.mark.parametrize("place", ["aaa", "cat/more", ".hidden", "@eaDir"])
def test_a_folder_is_listed_where_it_lies_and_not_at_a_link(mine, place):
    write(mine, "bird/1.png")
    if place == "aaa":
        (mine / place).symlink_to(mine / "dog")
        assert "found none in 'aaa'" in refusal(mine)
    else:
        (mine / place).mkdir()
        (mine / place / "link").symlink_to(mine / "dog")
        assert [path for path in labels(mine) if path.startswith("dog/")] == pictures.numbered(["dog"], 3)


def test_links_that_lead_nowhere_are_faults(mine, tmp_path):
    (mine / "cat/broken.png").symlink_to(mine / "gone.png")
    (mine / "cat/itself.png").symlink_to(mine / "cat/itself.png")
    assert faults(mine, tmp_path) == {"cat/broken.png": "missing", "cat/itself.png": "unreadable"}


def test_a_pipe_is_a_fault_that_does_not_block(mine, tmp_path):
    os.mkfifo(mine / "cat/pipe.png")
    assert faults(mine, tmp_path) == {"cat/pipe.png": "not_a_file"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every folder")
def test_a_folder_that_may_not_be_read_is_named(mine):
    (mine / "cat").chmod(0)
    try:
        said = refusal(mine)
    finally:
        (mine / "cat").chmod(0o700)
    assert said == f"expected a folder that can be read, received {mine}/cat: Permission denied"


def test_a_folder_that_cannot_be_read_is_named(mine, monkeypatch):
    scandir = os.scandir

    def forbidden(path):
        if Path(path).name == "cat":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", forbidden)
    said = refusal(mine)
    assert said == f"expected a folder that can be read, received {mine}/cat: Permission denied"


@pytest.mark.parametrize(
    ("pattern", "groups"),
    [
        (r"p\d+", {"p1": 2, "p2": 1, "": 1}),
        (r"/(p\d)_", {"p1": 2, "p2": 1, "": 1}),
        (r"(?P<other>p)(?P<group>\d+)", {"1": 2, "2": 1, "": 1}),
        (r"^(cat|dog)/", {"cat": 2, "dog": 2}),
        (r"(nothing)?", {"": 4}),
        (None, {"": 4}),
    ],
)
def test_a_regular_expression_names_the_groups(tmp_path, pattern, groups):
    root = write(tmp_path, "cat/p1_1.png", "dog/p1_2.png", "cat/p2_1.png", "dog/other.png")
    found = [entry.group for entry in folder.entries(root, pattern).entries]
    assert {group: found.count(group) for group in found} == groups


def test_pictures_without_a_group_are_named(tmp_path):
    root = write(tmp_path, "cat/p1_1.png", "dog/p1_2.png", "dog/other.png")
    remark = r"in no group, as 'p\\d+' does not match: 1: dog/other.png"
    assert folder.entries(root, r"p\d+").remarks == [remark]


@pytest.mark.parametrize("pattern", ["(", "*", "a{99999999999999999999}", "(" * 5000])
def test_a_damaged_regular_expression_is_refused(pattern):
    with pytest.raises(errors.BadInput, match=r"dataset\.group: expected a regular expression or null"):
        paramfile.check(folder.Options, {**pictures.FOLDER, "group": pattern}, "dataset")


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("faults", "ignore", "expected error or skip, received 'ignore'"),
        ("max_fault_share", 1.5, "expected less than or equal to 1"),
        ("max_pixels", 0, "expected greater than or equal to 1"),
    ],
)
def test_options_out_of_range_are_refused(option, value, said):
    with pytest.raises(errors.BadInput, match=re.escape(said)):
        paramfile.check(folder.Options, {**pictures.FOLDER, option: value}, "dataset")


def rows(raw: Path) -> bytes:
    return (raw / index.TABLE).read_bytes()


@pytest.mark.parametrize("wrapped", ["photos", "home/me/photos"])
def test_a_folder_that_is_alone_is_entered(mine, tmp_path, wrapped):
    place = tmp_path / "images"
    shutil.copytree(mine, place / wrapped)
    put(place / ".gitignore")
    collected("folder", mine, tmp_path / "plain")
    collected("folder", place, tmp_path / "raw")
    assert rows(tmp_path / "raw") == rows(tmp_path / "plain")


@pytest.mark.parametrize("name", ["train", "Training"])
def test_a_folder_of_a_split_that_is_alone_is_not_entered(tmp_path, name):
    root = write(tmp_path, f"{name}/cat/1.png", f"{name}/dog/1.png")
    assert index.root(root) == root


def test_a_class_that_is_alone_is_not_entered(tmp_path):
    root = write(tmp_path, "cat/1.png", "cat/2.JPG")
    assert index.root(root) == root


ARCHIVES: dict[str, Any] = {
    "zip": pictures.zipped,
    "tar": pictures.tarred,
    "tar.gz": lambda path, members: pictures.tarred(path, members, "w:gz"),
}


@pytest.mark.parametrize("place", ["itself", "alone in a folder", "in an archive"])
@pytest.mark.parametrize("kind", ARCHIVES)
def test_an_archive_gives_the_same_index_as_its_folder(tmp_path, kind, place):
    names = [*pictures.numbered(["cat", "naïve 猫"], 2, "train/"), "test/cat/a,b.png", "test/.DS_Store"]
    root = write(tmp_path / "mine", *names)
    collected("folder", root, tmp_path / "plain")
    archive = ARCHIVES[kind](put(tmp_path / f"images/a.{kind}"), pictures.content(root))
    if place == "in an archive":
        outer = pictures.zipped(tmp_path / "outer.zip", {"photos/inner": archive.read_bytes()})
        chosen = outer
    else:
        chosen = archive if place == "itself" else archive.parent
    collected("folder", chosen, tmp_path / "raw")
    assert rows(tmp_path / "raw") == rows(tmp_path / "plain")
    images, _ = index.read(tmp_path / "raw")[1]["test"]
    assert (
        images.decode(0, pictures.AS_STORED) == pictures.pixels(pictures.hash_of("test/cat/a,b.png"))
    ).all()


def test_an_archive_that_holds_itself_is_refused(mine, monkeypatch):
    archive = pictures.zipped(put(mine.parent / "itself/again.zip"), {"a/1.png": b""})
    monkeypatch.setattr(index.extracted, "folder", lambda path: path.parent)
    with pytest.raises(errors.BadInput, match="found 32 folders or archives in one another"):
        index.root(archive)


def test_folders_in_one_another_are_entered_so_often(tmp_path):
    write(tmp_path / "a", "/".join("x" * 31) + "/cat/1.png", "/".join("x" * 31) + "/dog/1.png")
    write(tmp_path / "b", "/".join("x" * 33) + "/cat/1.png", "/".join("x" * 33) + "/dog/1.png")
    assert index.root(tmp_path / "a") == tmp_path / "a" / "/".join("x" * 31)
    with pytest.raises(errors.BadInput, match="found 32 folders or archives in one another"):
        index.root(tmp_path / "b")


@pytest.mark.parametrize("hidden", [[], [".gitignore", ".DS_Store"]])
def test_a_place_without_pictures_says_what_to_do(tmp_path, hidden):
    (tmp_path / "images").mkdir()
    for name in hidden:
        put(tmp_path / "images" / name)
    with pytest.raises(errors.BadInput, match=f"below {tmp_path}/images, found none; put a folder, a zip"):
        index.root(tmp_path / "images")


def test_a_device_in_place_of_a_folder_is_refused():
    with pytest.raises(errors.BadInput, match="expected a folder that can be read, received /dev/null"):
        index.root(Path("/dev/null"))
