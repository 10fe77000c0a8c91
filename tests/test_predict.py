"""The command predict, with a small real model and real files."""

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pandas as pd
import pytest

from stages.classifier import provenance
from stages.decoding import picture, resizing
from stages.running import errors
from stages.serving import places, predict, rows
from tests import odd_pictures, pictures, sandbox, trained

FAULTY = {odd.name: odd.encoded for odd in odd_pictures.FAULTS}
HEADER = "path,label,probability,label_2,probability_2,label_3,probability_3,error".split(",")


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    return trained.write(tmp_path_factory.mktemp("trained") / "model")


@pytest.fixture
def run(model, monkeypatch, capsys, tmp_path):
    """Run the command in an empty folder; give its exit status, standard output and standard error."""
    monkeypatch.chdir(tmp_path)

    def run(*words, stdin=b"", batch=4):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        options = ["--model", model, "--batch-size", batch]
        monkeypatch.setattr(sys, "argv", ["predict", *map(str, [*options, *words])])
        with pytest.raises(SystemExit) as ended:
            predict.main()
        return ended.value.code, *capsys.readouterr()

    return run


def parsed(text):
    header, *found = csv.reader(io.StringIO(text))
    assert header == HEADER
    return found


def answers(found):
    """What rows say, by the name of the file."""
    return {row[0].rpartition("/")[2]: row[1:] for row in found}


def test_rows_say_what_the_model_says_of_each_picture(run, model, tmp_path):
    sizes = [(10, 12), (12, 10), (30, 30), (5, 40), (12, 10), (3, 3)]
    for number, size in enumerate(sizes):
        pictures.put(tmp_path / f"photos/{number}.png", pictures.png(number, *size))
    status, printed, said = run("photos")
    found = parsed(printed)
    assert status == 0 and [row[0] for row in found] == [f"photos/{number}.png" for number in range(6)]
    resized = [
        resizing.resize(pictures.pixels(number, *size), trained.SHAPE[:2], "pad")
        for number, size in enumerate(sizes)
    ]
    loaded = keras.models.load_model(model / "model.keras")
    expected = loaded.predict(np.stack(resized), verbose=0)
    for row, probabilities in zip(found, expected, strict=True):
        best = np.argsort(-probabilities)[:3]
        assert [row[1], row[3], row[5]] == [trained.CLASSES[place] for place in best]
        np.testing.assert_allclose([float(row[2]), float(row[4])], probabilities[best[:2]], rtol=1e-5)
        assert row[-1] == ""
    assert f"saved by Keras {keras.__version__}" in said and "and newer can" in said


def test_a_faulty_file_is_a_row_and_changes_no_bit_of_another(run, tmp_path):
    names = [f"{number:02}.png" for number in range(11)]
    for number, name in enumerate(names):
        pictures.put(tmp_path / "photos" / name, pictures.png(number))
    _, printed, _ = run("photos")
    sound = answers(parsed(printed))
    for name, kind in (("00.png", "zero.jpg"), ("05.png", "cut.jpg"), ("10.png", "text.jpg")):
        pictures.put(tmp_path / "photos" / name, FAULTY[kind])
    status, printed, said = run("photos")
    found = answers(parsed(printed))
    assert status == 3 and "3 of 11 rows have an error" in said
    assert list(found) == names
    faults = {name: row for name, row in found.items() if row[-1]}
    assert {name: row[-1].partition(":")[0] for name, row in faults.items()} == {
        "00.png": "empty",
        "05.png": "truncated",
        "10.png": "not_a_picture",
    }
    assert all(set(row[:-1]) == {""} for row in faults.values())
    assert {name: row for name, row in found.items() if not row[-1]} == {
        name: row for name, row in sound.items() if name not in faults
    }


def test_neighbours_change_no_bit(run, tmp_path):
    names = [f"{number}.png" for number in range(10)]
    for number, name in enumerate(names):
        pictures.put(tmp_path / name, pictures.png(number))
    _, together, _ = run(*names)
    _, alone, _ = run(names[3])
    _, turned, _ = run(*reversed(names))
    expected = answers(parsed(together))
    assert answers(parsed(turned)) == expected
    assert answers(parsed(alone)) == {names[3]: expected[names[3]]}


def test_the_formats_hold_the_same_rows(run, tmp_path):
    pictures.write(tmp_path / "photos", "a.png", 'b, "c".png', "d\n.png")
    pictures.put(tmp_path / "photos/e.png", FAULTY["cut.png"])
    tables = {}
    for suffix in rows.WRITERS:
        status, printed, _ = run("photos", "--output", f"new/out{suffix}")
        assert (status, printed) == (3, "")
    tables["csv"] = pd.read_csv("new/out.csv")
    tables["jsonl"] = pd.DataFrame(map(json.loads, open("new/out.jsonl", encoding="utf-8")))
    tables["parquet"] = pd.read_parquet("new/out.parquet")
    assert list(tables["csv"]["path"]) == [
        f"photos/{name}" for name in ("a.png", 'b, "c".png', "d\n.png", "e.png")
    ]
    for table in tables.values():
        assert list(table) == HEADER
        assert json.loads(table.to_json(orient="values")) == json.loads(
            tables["csv"].to_json(orient="values")
        )
    assert sorted(os.listdir("new")) == ["out.csv", "out.jsonl", "out.parquet"]


def test_the_model_of_published_arrays_squashes_on_white(run, tmp_path):
    folder = trained.write(tmp_path / "published", form=None)
    pictures.put(tmp_path / "a.png", pictures.png(0, 4, 40))
    _, printed, _ = run("a.png", "--model", folder)
    squashed = resizing.resize(pictures.pixels(0, 4, 40), trained.SHAPE[:2], "squash")
    expected = keras.models.load_model(folder / "model.keras").predict(squashed[None], verbose=0)
    assert float(parsed(printed)[0][2]) == pytest.approx(expected.max(), rel=1e-5)


def test_archives_give_the_rows_of_their_files(run, tmp_path):
    members = {f"photos/{number}.png": pictures.png(number) for number in range(5)}
    for name, content in members.items():
        pictures.put(tmp_path / name, content)
    left = {"__MACOSX/photos/._0.png": b"\0", "photos/.DS_Store": b"\0"}
    pictures.zipped(tmp_path / "a.zip", left | members)
    pictures.tarred(tmp_path / "a.tgz", left | members, "w:gz")
    _, printed, _ = run("photos")
    expected = answers(parsed(printed))
    for archive in ("a.zip", "a.tgz"):
        status, printed, _ = run(archive)
        found = parsed(printed)
        assert status == 0 and answers(found) == expected
        assert [row[0] for row in found] == [f"{archive}/{name}" for name in members]


def test_a_damaged_member_is_a_row(run, tmp_path):
    path = pictures.zipped(tmp_path / "a.zip", {f"{number}.png": pictures.png(number) for number in range(3)})
    content = bytearray(path.read_bytes())
    content[content.index(pictures.png(1)) + 60] ^= 255
    path.write_bytes(content)
    status, printed, _ = run("a.zip")
    errors = [row[-1] for row in parsed(printed)]
    assert status == 3 and errors[0] == errors[2] == "" and errors[1].startswith("unreadable: ")


def test_all_places_can_be_gone_on_with_anywhere(tmp_path):
    members = {f"{number}.png": pictures.png(number) for number in range(3)}
    for name, content in members.items():
        pictures.put(tmp_path / "photos" / name, content)
    archives = [
        pictures.zipped(tmp_path / "a.zip", members),
        pictures.tarred(tmp_path / "b.tgz", members, "w:gz"),
    ]
    listed = places.find(list(map(str, [archives[0], tmp_path / "photos", archives[1]])), "file_name")
    whole = [(content.name, content.read()) for content in places.contents(listed)]
    assert [encoded for _, encoded in whole] == [*members.values()] * 3
    for first in range(len(whole) + 1):
        rest = [(content.name, content.read()) for content in places.contents(listed, first)]
        assert rest == whole[first:]


def test_an_archive_that_changes_meanwhile_is_noticed(tmp_path):
    path = pictures.zipped(tmp_path / "a.zip", {"a.png": b"a", "b.png": b"b"})
    listed = places.find([str(path)], "file_name")
    for members in (
        {"a.png": b"a"},
        {"a.png": b"a", "c.png": b"c"},
        {"a.png": b"a", "b.png": b"b", "c": b""},
    ):
        pictures.zipped(path, members)
        with pytest.raises(errors.BadInput, match="expected the archive that was listed, found another"):
            list(places.contents(listed))


def test_names_come_from_standard_input(run, tmp_path):
    pictures.write(tmp_path, "a.png", "b c.png")
    given = b"a.png\r\nb c.png\n\na.png\nmissing.png\n.\n"
    status, printed, _ = run("-", stdin=given)
    found = parsed(printed)
    assert status == 3
    assert [row[0] for row in found] == ["a.png", "b c.png", "a.png", "missing.png", "."]
    assert found[0] == found[2]
    assert [row[-1] for row in found[3:]] == [
        "missing: there is no such file",
        "not_a_file: expected a file, found a folder",
    ]
    _, separated, _ = run(
        "-", stdin=given.replace(b"\r\n", b"\0").replace(b"\n\n", b"\0").replace(b"\n", b"\0")
    )
    assert separated == printed


def test_a_table_names_files_beside_itself(run, tmp_path):
    pictures.write(tmp_path / "photos", "a.png", f"{pictures.NFD}.png")
    pictures.put(
        tmp_path / "photos/list.csv", f"file_name\na.png\n{pictures.NFC}.png\nmissing.png\n".encode()
    )
    status, printed, _ = run("photos/list.csv")
    assert status == 3
    assert [(row[0], row[-1].partition(":")[0]) for row in parsed(printed)] == [
        ("photos/a.png", ""),
        (f"photos/{pictures.NFD}.png", ""),
        ("photos/missing.png", "missing"),
    ]
    status, _, said = run("photos/list.csv", "--column", "file")
    assert status == 2 and "unknown column 'file'; expected one of: file_name." in said and "--column" in said


def test_odd_files_in_a_folder_are_rows(run, tmp_path):
    folder = tmp_path / "photos"
    pictures.write(folder, "sub/a.png", ".hidden.png", os.fsdecode(b"caf\xe9.png"))
    os.mkfifo(folder / "pipe.png")
    (folder / "circle").symlink_to(folder)
    (folder / "gone.png").symlink_to("nothing")
    pictures.put(folder / "bomb.png", FAULTY["bomb.png"])
    pictures.put(folder / "large.png", pictures.png(0, 40, 40))
    status, printed, _ = run("photos", "--max-pixels", 1000)
    assert status == 3
    assert [(row[0], row[-1].partition(":")[0]) for row in parsed(printed)] == [
        ("photos/bomb.png", "too_large"),
        (r"photos/caf\udce9.png", ""),
        ("photos/gone.png", "missing"),
        ("photos/large.png", "too_large"),
        ("photos/pipe.png", "not_a_file"),
        ("photos/sub/a.png", ""),
    ]


def place_wrong(folder):
    """What cannot be classified at all, and what is said of it."""
    (folder / "empty").mkdir()
    os.mkfifo(folder / "pipe")
    pictures.zipped(folder / "empty.zip", {})
    whole = pictures.tarred(folder / "whole.tgz", {"a.png": pictures.png(0)}, "w:gz").read_bytes()
    pictures.put(folder / "cut.tgz", whole[:100])
    pictures.put(folder / "cut.zip", b"PK\3\4")
    pictures.put(folder / "empty.csv", b"file_name\n")
    pictures.put(folder / "hole.csv", b"file_name,label\n,cat\n")
    return {
        "nothing": "found nothing",
        "empty": "found no files",
        "pipe": "found a device, a pipe or a socket",
        "/dev/zero": "found a device, a pipe or a socket",
        "empty.zip": "found no files",
        "cut.tgz": "corrupt, truncated",
        "cut.zip": "found another file or only a part of one",
        "empty.csv": "expected a row per picture",
        "hole.csv": "expected the name of a file in row 1",
        "-": "expected names of files on standard input",
    }


def test_what_holds_no_pictures_is_one_line(run, tmp_path):
    for place, expected in place_wrong(tmp_path).items():
        status, printed, said = run(place)
        assert (status, printed) == (2, "") and expected in said and said.count("\n") == 1, place


def test_an_output_is_no_input_and_no_device(run, tmp_path):
    pictures.write(tmp_path / "photos", "a.png")
    table = pictures.put(tmp_path / "list.csv", b"file_name\nphotos/a.png\n")
    (tmp_path / "link.csv").symlink_to(table)
    (tmp_path / "listed.csv").symlink_to(tmp_path / "photos/a.png")
    os.mkfifo(tmp_path / "pipe.csv")
    for output, named in {
        "photos/out.csv": ["photos"],
        "list.csv": ["list.csv"],
        "link.csv": ["photos"],
        "pipe.csv": ["photos"],
        "photos": ["photos"],
        "out.txt": ["photos"],
    }.items():
        status, printed, said = run(*named, "--output", output)
        assert (status, printed) == (2, "") and "expected" in said, output
        assert "saved by Keras" not in said, "this is known before the model is loaded"
    assert table.read_bytes() == b"file_name\nphotos/a.png\n"
    assert sorted(os.listdir(tmp_path / "photos")) == ["a.png"]


KILLED = """
import os, runpy, signal, sys
from stages.running import cores
from stages.serving import forms

cores.usable = lambda: 2  # so that few pictures are decoded ahead
decode, left = forms.Form.pixels, 150
def pixels(form, encoded):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return decode(form, encoded)
forms.Form.pixels = pixels
sys.path.insert(0, os.getcwd())
runpy.run_module("stages.serving.predict", run_name="__main__")
"""


@pytest.fixture(scope="module")
def killed(model, tmp_path_factory):
    """A folder of 200 pictures, and the rows that a killed run has left, the last one cut."""
    folder = tmp_path_factory.mktemp("killed")
    for number in range(200):
        pictures.put(folder / f"photos/{number:03}.png", pictures.png(number))
    words = ["photos", "--model", str(model), "--batch-size", "4", "--output", "out.csv"]
    done = subprocess.run(
        [sys.executable, "-c", KILLED, *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(sandbox.PROJECT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    (left,) = (path for path in folder.iterdir() if path.suffix == ".rows")
    return folder, left.name, left.read_bytes()


@pytest.fixture
def stopped(killed, monkeypatch, run):
    """The killed run's folder as it was left; its kept rows end in the middle of one."""
    folder, name, content = killed
    monkeypatch.chdir(folder)
    (folder / name).write_bytes(content[:-7])
    (folder / "out.csv").unlink(missing_ok=True)
    changed = folder / "photos/007.png"
    before, times = changed.read_bytes(), (changed.stat().st_atime_ns, changed.stat().st_mtime_ns)
    yield folder
    changed.write_bytes(before)
    os.utime(changed, ns=times)


@pytest.fixture
def decoded(monkeypatch):
    """The number of pictures that are decoded."""
    decode, calls = picture.decode, []

    def counted(*given):
        calls.append(1)
        return decode(*given)

    monkeypatch.setattr(picture, "decode", counted)
    return calls


def test_a_killed_run_goes_on_where_it_was(stopped, run, decoded):
    status, _, said = run("photos", "--output", "out.csv")
    assert status == 0 and "out.csv: goes on after " in said
    assert 0 < len(decoded) < 150
    resumed = (stopped / "out.csv").read_text()
    _, printed, _ = run("photos")
    assert resumed == printed
    assert sorted(os.listdir(stopped)) == ["out.csv", "photos"]


@pytest.mark.parametrize("changed", ["inputs", "options", "model"])
def test_rows_of_something_else_are_not_kept(stopped, run, decoded, changed, tmp_path):
    words = ["photos", "--output", "out.csv"]
    if changed == "inputs":
        pictures.put(stopped / "photos/007.png", pictures.png(7, 20, 20))
    if changed == "options":
        words += ["--max-pixels", "1000"]
    if changed == "model":
        words += ["--model", str(trained.write(tmp_path / "other", seed=1))]
    status, _, said = run(*words)
    assert status == 0
    assert f"out.csv: starts anew, as these have changed since it was stopped: {changed}\n" in said
    assert len(decoded) == 200
    assert len((stopped / "out.csv").read_text().splitlines()) == 201


@pytest.mark.parametrize("damage", ["model.keras", "training.json", "form"])
def test_a_damaged_model_is_one_line(run, tmp_path, damage):
    folder = trained.write(
        tmp_path / "damaged", form={**trained.FORM, "resize": "stretch"} if damage == "form" else None
    )
    pictures.write(tmp_path, "a.png")
    if damage != "form":
        (folder / damage).write_bytes((folder / damage).read_bytes()[:100])
    status, printed, said = run("a.png", "--model", folder)
    assert (status, printed) == (2, "") and said.startswith("predict: error: ") and str(folder) in said


def test_a_model_may_not_name_its_version(run, model, tmp_path):
    folder = trained.write(tmp_path / "other")
    with zipfile.ZipFile(model / "model.keras") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    training = provenance.read(folder)
    pictures.zipped(folder / "model.keras", members | {"metadata.json": b"{}"})
    provenance.write(folder, training)
    pictures.write(tmp_path, "a.png")
    status, _, said = run("a.png", "--model", folder)
    assert status == 0 and "saved by Keras of a version that it does not name" in said


def test_a_missing_model_says_where_to_get_it(run, tmp_path):
    pictures.write(tmp_path, "a.png")
    status, _, said = run("a.png", "--model", tmp_path)
    assert status == 2 and "found no model.keras; run `dvc repro` or `dvc pull`" in said


@pytest.mark.parametrize(
    "words", [["--top", "0", "."], ["--batch-size", "x", "."], ["-", "-"], ["--options", "'", "."], []]
)
def test_bad_usage_has_the_status_of_bad_input(run, words):
    status, printed, said = run(*words)
    assert (status, printed) == (2, "") and said.startswith("usage: ")


def test_more_classes_than_there_are_are_all_of_them(run, tmp_path):
    pictures.write(tmp_path, "a.png")
    _, printed, _ = run("a.png", "--top", 99)
    header, row = csv.reader(io.StringIO(printed))
    assert header[-3:] == ["label_4", "probability_4", "error"]
    assert sorted(row[1:-1:2]) == trained.CLASSES


def test_the_label_is_unknown_where_the_model_is_not_sure(run, tmp_path):
    for number in range(12):
        pictures.put(tmp_path / f"photos/{number}.png", pictures.png(number, 12, 10))
    _, printed, said = run("--target-precision", "0.97", "photos")
    _, plain, _ = run("photos")
    (least,) = map(float, re.findall(r"below (0\.\d+)", said))
    unsure = [float(row[2]) < least for row in parsed(plain)]
    assert 0 < sum(unsure) < 12
    for row, before, is_unsure in zip(parsed(printed), parsed(plain), unsure, strict=True):
        assert row == ([before[0], "unknown", *before[2:]] if is_unsure else before)


@pytest.mark.parametrize(
    ("precision", "said"), [("0.9999", "at no confidence; expect less"), ("1.5", "a number between 0 and 1")]
)
def test_a_precision_that_cannot_be_is_refused(run, tmp_path, precision, said):
    pictures.put(tmp_path / "photos/1.png", pictures.png(1, 12, 10))
    status, printed, line = run("--target-precision", precision, "photos")
    assert status == 2 and not printed and said in line


def test_options_may_come_in_one_text(run, tmp_path):
    pictures.write(tmp_path, "a.png")
    status, printed, _ = run("--options=--output 'my rows.csv'", "--", "a.png")
    assert (status, printed) == (0, "") and (tmp_path / "my rows.csv").is_file()
