"""The index of one's own pictures: what it holds, who notices changes, and which faults stop the stage."""

import contextlib
import csv
import json
import os
import random
import shutil
import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest

from stages import download
from stages.decoding import examine
from stages.running import errors, outputs, paramfile
from stages.sources import examined, findings, index, listing
from stages.sources import raw as raw_files
from tests import pictures
from tests.pictures import collected, put, write

NAMES = pictures.numbered(["cat", "dog"], 10)


@pytest.fixture
def mine(tmp_path):
    return write(tmp_path / "mine", *NAMES)


@pytest.fixture
def raw(tmp_path):
    return tmp_path / "raw"


def run(place, raw, name="folder", **options):
    """The stage as dvc.yaml runs it; return the rows of the file of faults."""
    return faults(pictures.downloaded(place, raw, name, **options))


def faults(report):
    with report.open(newline="") as file:
        return list(csv.reader(file))


def refusal(place, raw, **options) -> list[str]:
    """The lines of the message; data/raw is not there, and nothing half-written."""
    with pytest.raises(errors.BadInput) as caught:
        run(place, raw, **options)
    assert not raw.exists() and not list(raw.parent.glob("*.partial"))
    return str(caught.value).splitlines()


def test_a_row_holds_what_is_known_of_a_picture(mine, raw):
    run(mine, raw)
    classes, splits = index.read(raw)
    images, labels = splits["train"]
    assert classes == ["cat", "dog"] and list(splits) == ["train"]
    assert images.facts["path"].tolist() == NAMES
    assert labels.tolist() == [0] * 10 + [1] * 10 and labels.dtype == np.int64
    for position, name in enumerate(NAMES):
        content = (mine / name).read_bytes()
        found = {column: values.tolist()[position] for column, values in images.facts.items()}
        expected = examine.examine(name, content)._asdict()
        assert found == {
            **expected,
            "pixels": bytes.fromhex(expected["pixels"]),
            "hash": int(expected["hash"], 16),
            "path": name,
            "group": "",
            "size": len(content),
            "digest": bytes.fromhex(examined.digest(content)),
        }


def test_the_raw_folder_holds_an_index_and_no_pictures(mine, raw):
    run(mine, raw, group=None)
    assert sorted(os.listdir(raw)) == ["index.csv", "manifest.json", "pictures.json"]
    manifest = raw_files.read(raw)
    assert (manifest.dataset, manifest.plugin) == ("folder", "folder")
    source = json.loads((raw / "pictures.json").read_text())
    assert source == {"place": str(mine), "classes": ["cat", "dog"], "max_pixels": 10_000}


def test_the_index_is_the_same_whatever_the_order_of_the_disk(mine, tmp_path, monkeypatch):
    write(mine, "cat/a/x.png", "cat/B/x.png", "stray.png", "notes.txt", "more.txt", "cat/.b", "cat/.a")
    (mine / "cat/link").symlink_to(mine / "dog")
    put(mine / "dog/empty.png")
    scandir, shuffle = os.scandir, random.Random(0).shuffle

    @contextlib.contextmanager
    def shuffled(path):
        with scandir(path) as found:
            entries = list(found)
        shuffle(entries)
        yield iter(entries)

    written = []
    for number in range(4):
        found = collected("folder", mine, tmp_path / f"raw{number}")
        written.append((pictures.content(tmp_path / f"raw{number}"), found.faults, found.remarks))
        monkeypatch.setattr(os, "scandir", shuffled)
    assert all(each == written[0] for each in written)


def test_the_same_pictures_elsewhere_have_the_same_rows(mine, tmp_path):
    shutil.copytree(mine, tmp_path / "copy")
    for name in ("mine", "copy"):
        collected("folder", tmp_path / name, tmp_path / f"raw-{name}")
    one, other = (tmp_path / f"raw-{name}" / index.TABLE for name in ("mine", "copy"))
    assert one.read_bytes() == other.read_bytes()


def swap(mine):
    (mine / NAMES[3]).rename(mine / "other")
    (mine / NAMES[4]).rename(mine / NAMES[3])
    (mine / "other").rename(mine / NAMES[4])


def replace(make):
    def change(mine):
        (mine / NAMES[3]).unlink()
        make(mine / NAMES[3])

    return change


CHANGES = {
    "another content": (lambda mine: put(mine / NAMES[3], pictures.png(99)), "its content is another"),
    "a byte": (lambda mine: put(mine / NAMES[3], (mine / NAMES[3]).read_bytes()[:-1] + b"!"), "its content"),
    "longer": (lambda mine: put(mine / NAMES[3], (mine / NAMES[3]).read_bytes() + b"!"), "its content"),
    "empty": (lambda mine: put(mine / NAMES[3]), "its content is another"),
    "removed": (lambda mine: (mine / NAMES[3]).unlink(), "cannot be read: No such file or directory"),
    "swapped": (swap, "its content is another"),
    "a folder": (replace(lambda path: path.mkdir()), ""),
    "a pipe": (replace(os.mkfifo), "its content is another"),
    "a link": (replace(lambda path: path.symlink_to(NAMES[4][4:])), "its content is another"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_picture_that_changed_after_the_check_is_named(mine, raw, change):
    run(mine, raw)
    images, _ = index.read(raw)[1]["train"]
    apply, how = CHANGES[change]
    apply(mine)
    with pytest.raises(errors.BadInput) as caught:
        images.decode(3, pictures.AS_STORED)
    said = str(caught.value)
    expected = "expected the picture that the download stage has checked, but "
    assert said.startswith(f"{mine}/{NAMES[3]}: {expected}") and how in said
    assert said.endswith("; run `dvc repro`")
    assert (images.decode(5, pictures.AS_STORED) == pictures.pixels(pictures.hash_of(NAMES[5]))).all()


def test_pictures_that_are_gone_are_named_by_their_place(mine, raw):
    run(mine, raw)
    shutil.rmtree(mine)
    with pytest.raises(errors.BadInput, match=f"expected the pictures at {mine}, found nothing; see"):
        index.read(raw)


def test_an_archive_is_unpacked_again_where_the_cache_is_gone(mine, raw, fetch_cache):
    archive = pictures.zipped(mine.parent / "mine.zip", pictures.content(mine))
    run(archive, raw)
    shutil.rmtree(fetch_cache)
    images, _ = index.read(raw)[1]["train"]
    assert len(pictures.decoded(images)) == len(NAMES)


@pytest.mark.parametrize("place", ["~/mine", "mine"])
def test_a_place_may_be_relative_or_below_the_home_folder(mine, raw, monkeypatch, place):
    monkeypatch.setenv("HOME", str(mine.parent))
    monkeypatch.chdir(mine.parent)
    run(place, raw)
    assert len(pictures.decoded(index.read(raw)[1]["train"][0])) == len(NAMES)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[:-30],
        lambda text: text.replace('"label"', '"labels"'),
        lambda text: text.replace(',12,10,"RGB"', ',twelve,10,"RGB"'),
        lambda text: text.replace(',"PNG"', "", 1),
    ],
)
def test_a_damaged_index_is_refused(mine, raw, damage):
    run(mine, raw)
    path = raw / index.TABLE
    path.write_text(damage(path.read_text()))
    with pytest.raises(errors.BadInput, match=r"expected an index of pictures: .*; rerun download"):
        index.read(raw)
    with pytest.raises(errors.BadInput, match=r"index\.csv is not the file that was downloaded"):
        raw_files.read(raw)


def test_sound_pictures_have_a_file_of_no_faults(mine, raw):
    assert run(mine, raw) == [["path", "kind", "detail"]]
    assert (raw.parent / "faults.csv").read_bytes() == b"path,kind,detail\n"


@pytest.fixture
def bad(mine):
    """Twelve faulty files among twenty sound ones."""
    for number in range(12):
        put(mine / f"dog/bad {number:02}\n.png", b"" if number % 2 else b"no picture")
    return mine


def test_faults_are_errors_with_ten_names_and_all_in_a_file(bad, raw):
    heading, *named, more, remedy = refusal(bad, raw)
    report = raw.parent / "faults.csv"
    assert heading == f"12 of 32 files cannot be used ({report} has all):"
    assert [line.split(": ")[:2] for line in named] == [
        [f"  dog/bad {number:02}\\n.png", "empty" if number % 2 else "not_a_picture"] for number in range(10)
    ]
    assert more == "  and 2 more"
    assert remedy == (
        "mend or remove them, or set download.dataset.faults to skip and max_fault_share to 0.38 or more"
    )
    header, *rows = faults(report)
    assert header == ["path", "kind", "detail"]
    assert [row[0] for row in rows] == [f"dog/bad {number:02}\n.png" for number in range(12)]
    assert all(len(row) == 3 and row[2] for row in rows)


def test_a_few_faults_are_left_out_if_they_may_be(bad, raw, capsys):
    rows = run(bad, raw, faults="skip", max_fault_share=12 / 32)
    assert len(rows) == 13
    assert index.read(raw)[1]["train"][0].facts["path"].tolist() == NAMES
    assert "left out: 12 of 32 files cannot be used" in capsys.readouterr().out


def test_too_many_faults_are_an_error_even_if_they_may_be(bad, raw):
    *_, last = refusal(bad, raw, faults="skip", max_fault_share=0.37)
    assert last == "that is 37.5% of the files, more than download.dataset.max_fault_share = 37.0%"
    assert len(faults(raw.parent / "faults.csv")) == 13


def test_a_folder_of_nothing_but_faults_is_refused(tmp_path, raw):
    for name in NAMES:
        put(tmp_path / "mine" / name)
    assert refusal(tmp_path / "mine", raw, faults="skip", max_fault_share=1.0)[-1] == "no picture is left"


def test_a_table_with_missing_files_is_an_error(mine, raw):
    rows = [f"{name},{name[:3]}" for name in NAMES]
    put(mine / "labels.csv", "\n".join(["file,label", *rows, "gone.png,cat"]).encode())
    heading, named, _ = refusal(mine, raw, name="table")
    assert heading.startswith("1 of 21 files cannot be used") and named.startswith("  gone.png: missing: ")
    assert len(run(mine, raw, name="table", faults="skip", max_fault_share=0.05)) == 2


def test_a_failed_check_leaves_the_index_of_before(mine, raw):
    run(mine, raw)
    before = pictures.content(raw)
    put(mine / "cat/bad.png")
    with pytest.raises(errors.BadInput):
        run(mine, raw)
    assert pictures.content(raw) == before
    assert len(faults(raw.parent / "faults.csv")) == 2


def test_names_that_are_not_utf8_are_in_the_file_of_faults(mine, raw):
    put(mine / os.fsdecode(b"cat/caf\xe9\r.png"))
    refusal(mine, raw)
    assert faults(raw.parent / "faults.csv")[1][0] == "cat/caf\\udce9\r.png"


def test_remarks_are_printed(mine, raw, capsys):
    put(mine / "notes.txt")
    run(mine, raw)
    assert "left out, in no class's folder: 1: notes.txt\n" in capsys.readouterr().out


def test_a_place_that_is_not_there_is_named(raw):
    (said,) = refusal(raw.parent / "absent", raw)
    assert said.startswith(f"download.images: expected a file or folder at {raw.parent}/absent, found")


@pytest.mark.parametrize("images", ["", None])
def test_no_place_at_all_is_refused_with_what_to_write(images):
    values = {"dataset": {"name": "folder"}, "images": images, "source": "auto", "archive": "data/archive"}
    with pytest.raises(errors.BadInput, match="write data/images for none"):
        paramfile.check(download.Params, values, "download")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda text: text.replace('"dog",""', '"emu",""', 1), "it has the unknown label 'emu'"),
        (lambda text: text.replace('"dog",""', '"dog","x"', 1), "it has the unknown split 'x'"),
    ],
)
def test_an_index_of_another_class_or_split_is_refused(mine, raw, damage, said):
    run(mine, raw)
    path = raw / index.TABLE
    path.write_text(damage(path.read_text()))
    with pytest.raises(errors.BadInput, match=f"expected an index of pictures: {said}; rerun download"):
        index.read(raw)


MANY = 20_000
PATHS = [f"{'cat' if number % 2 else 'dog'}/{number:056}" for number in range(MANY)]


def found_of(paths) -> Iterator[findings.Found]:
    """What might be found of pictures, all of them different."""
    for number, _ in enumerate(paths):
        facts = examine.Facts(
            640, 480, "RGB", "JPEG", f"{number:032x}", f"{number:016x}", 0.5, number / 8, ""
        )
        yield findings.Found(number, 1, f"{number:032x}", "", "", facts)


def indexed(mine, raw) -> None:
    raw.mkdir()
    entries = [listing.Entry(path, path[:3], "", "") for path in PATHS]
    index.collect("folder", mine, mine, listing.Listing(["cat", "dog"], entries, [], []), 10_000, raw)


@contextlib.contextmanager
def at_most(per_picture: int) -> Iterator[None]:
    """Allow so many bytes for each picture beyond what was taken before."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < per_picture * MANY
    finally:
        tracemalloc.stop()


def test_the_rows_of_an_index_are_written_as_they_come(mine, raw, monkeypatch):
    monkeypatch.setattr(examined, "files", lambda root, paths, max_pixels: found_of(paths))
    # An entry has 96 bytes with its place in a list, and two more places; a buffer of 1 MiB, 52 a picture.
    with at_most(96 + 2 * 8 + 52 + 16):
        indexed(mine, raw)
    assert len((raw / index.TABLE).read_text().splitlines()) == MANY + 1


def test_an_index_is_in_memory_by_columns(mine, raw, monkeypatch):
    monkeypatch.setattr(examined, "files", lambda root, paths, max_pixels: found_of(paths))
    indexed(mine, raw)
    monkeypatch.setattr(index, "CHUNK", 100)
    source = outputs.read(index.Source, raw / index.SOURCE)
    monkeypatch.setattr(outputs, "read", lambda *_: source)  # which takes 32 MiB for a moment
    # A path of 60 characters has 109 bytes; 2 digests have 16 each, and 12 other columns and the label 8; one
    # column is there twice, and 10 bytes are for rows as text and three masks of the splits.
    with at_most(109 + 2 * 16 + 13 * 8 + 16 + 10):
        images, _ = index.read(raw)[1]["train"]
    assert images.facts["path"].tolist() == sorted(PATHS)
