"""What one stage takes from another, changed at random, is read or refused in one bounded message."""

import os
from pathlib import Path

import hypothesis
import keras
import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies

from stages import download, records, subset, train
from stages.classifier import history, provenance, saving
from stages.inputs import arrays, data_report, manifest, names, tfrecord
from stages.running import errors, outputs, paramfile
from stages.sources import index, raw
from tests import damaged, pictures, sandbox, tiny

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "40"))  # thousands, to look for what nobody has thought of
fuzzed = hypothesis.settings(
    max_examples=EXAMPLES, phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate]
)


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with whole files of each kind."""
    folder = tmp_path_factory.mktemp("handed")
    tiny.build_records(folder, tiny.subset(folder / "arrays"))
    names.write(folder, np.arange(3), ["cat/1.png", "cat/2.png", "dog/1.png"])
    pixels = keras.Input((8, 8, 1), dtype="uint8")
    flat = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(pixels))
    (folder / "model").mkdir()
    model = keras.Model(pixels, keras.layers.Dense(2, activation="softmax")(flat))
    saving.save(model, folder / "model/model.keras")
    provenance.write(folder / "model", provenance.Training.model_validate(tiny.TRAINING))
    outputs.write_json(folder / "model/environment.json", {"keras": "3.15.1", "cores": 2, "onednn": True})
    outputs.write_json(folder / "data.json", tiny.data_report())
    rows = [{"epoch": n, "learning_rate": 0.1, "loss": 0.5, "accuracy": 0.9, "seconds": 1} for n in (1, 2)]
    history.write(folder / "history.csv", rows)
    pictures.downloaded(
        pictures.write(folder / "mine", *pictures.numbered(["cat", "dog"], 3)), folder / "raw"
    )
    return folder


def iterated(folder: Path) -> None:
    """Read all images of a split."""
    for _ in tfrecord.Split(folder).batches(10, range(2)):
        pass


READERS = {
    "data.json": data_report.read,
    "history.csv": history.read,
    "model/environment.json": lambda path: provenance.read_environment(path.parent),
    "model/model.keras": lambda path: saving.load(path, (8, 8, 1), 2),
    "model/training.json": lambda path: provenance.read(path.parent),
    "names.json": lambda path: names.read(path.parent, np.arange(3)),
    "raw/index.csv": lambda path: index.read(path.parent),
    "raw/manifest.json": lambda path: raw.read(path.parent),
    "raw/pictures.json": lambda path: index.read(path.parent),
    "records/train/manifest.json": lambda path: iterated(path.parent),
    "records/train/view-000-shard-00.tfrecord": lambda path: iterated(path.parent),
    "arrays/train/images.npy": lambda path: arrays.Split(path.parent),
    "arrays/train/labels.npy": lambda path: arrays.Split(path.parent),
    "arrays/train/manifest.json": lambda path: arrays.Split(path.parent),
    "arrays/train/positions.npy": lambda path: arrays.Split(path.parent),
}


@pytest.mark.parametrize("name", READERS)
@fuzzed
@hypothesis.given(data=strategies.data())
def test_a_changed_file_is_read_or_refused(place, name, data):
    path = place / name
    whole = path.read_bytes()
    try:
        path.write_bytes(data.draw(damaged.changed([whole])))
        read_or_refused(lambda: READERS[name](path))
    finally:
        path.write_bytes(whole)


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("kind", ["empty", "folder", "missing", "pipe"])
def test_what_is_no_file_of_a_stage_is_refused(place, name, kind, tmp_path):
    path, whole = place / name, tmp_path / "whole"
    path.rename(whole)
    try:
        make = {
            "empty": path.touch,
            "folder": path.mkdir,
            "missing": lambda: None,
            "pipe": lambda: os.mkfifo(path),
        }
        make[kind]()
        if name == "names.json" and kind != "empty":
            return  # published images have no names
        with pytest.raises((errors.BadInput, IsADirectoryError)) as raised:
            READERS[name](path)
        assert path.name in str(raised.value)
    finally:
        path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)
        whole.rename(path)


SECTIONS = {
    "download": download.Params,
    "subset": subset.Params,
    "records": records.Params,
    "train": train.Params,
}


@fuzzed
@hypothesis.given(data=strategies.data())
def test_changed_params_are_read_or_refused(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "changed.yaml"
    wholes = [each.read_bytes() for each in sorted(sandbox.PROJECT.glob("configs/*.yaml"))]
    path.write_bytes(data.draw(damaged.changed(wholes)))
    for section, schema in SECTIONS.items():
        read_or_refused(lambda section=section, schema=schema: paramfile.read(schema, section, path))


def read_or_refused(read) -> None:
    try:
        read()
    except errors.BadInput as error:
        assert len(str(error)) <= errors.MOST_CHARACTERS


def test_an_epoch_with_an_image_twice_is_refused(tmp_path):
    folder = tiny.build_records(tmp_path, tiny.subset(tmp_path / "arrays"), augment=[], views=1) / "train"
    batches = [[part.numpy() for part in batch] for batch in tfrecord.Split(folder).batches(5)]
    batches[0][2][1] = batches[0][2][0]
    sizes = [3, 2]  # records of a file
    for shard, size in enumerate(sizes):
        blocks = batches[sum(sizes[:shard]) :][:size]
        tfrecord.write_shard(
            folder / tfrecord.shard_name(0, shard), [tfrecord.serialize(*each) for each in blocks]
        )
    values = outputs.read_json(folder / "manifest.json")
    del values["checksum"]
    manifest.write(folder, values)
    with pytest.raises(errors.BadInput, match="expected 24 images, received 24, 23 of them different"):
        iterated_once(folder)


def iterated_once(folder: Path) -> None:
    for _ in tfrecord.Split(folder).batches(10):
        pass


@pytest.mark.parametrize("name", ["classes", "image_shape", "normalization"])
def test_records_of_two_kinds_are_refused(tmp_path, name):
    whole = manifest.read(tiny.build_records(tmp_path, tiny.subset(tmp_path / "arrays")) / "val")
    other = {"classes": ["x", "y"], "image_shape": [8, 8, 3], "normalization": None}[name]
    manifest.require_alike(whole, whole)
    with pytest.raises(errors.BadInput, match=f"received some with {name} = .* and others with"):
        manifest.require_alike(whole, whole.model_copy(update={name: other}))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("train: " + "[" * 3000 + "]" * 3000, "at most 50 levels"),
        ("train: " + "1" * 5000, "a YAML mapping"),
        (
            "a0: &a0 {x: 1}\n"
            + "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 8)),
            "at most 1,000,000 values",
        ),
        ("train:\n" + "".join(f"  key{n}: {n}\n" for n in range(4000)), "train.model is missing"),
        ("train: {epochs: " + "x" * 60_000 + "}", "a valid integer"),
        ("x" * 70_000, "at most 65,536 bytes"),
    ],
    ids=["levels", "digits", "merged", "keys", "long", "large"],
)
def test_params_that_explode_are_one_short_message(tmp_path, text, expected):
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(errors.BadInput, match=expected) as raised:
        paramfile.read(train.Params, "train", tmp_path / "params.yaml")
    assert len(str(raised.value)) < errors.MOST_CHARACTERS


def test_a_history_without_an_epoch_is_refused(tmp_path):
    table = pd.DataFrame({"epoch": [1, 3], "learning_rate": 0.1, "loss": 0.5, "accuracy": 0.9})
    table.to_csv(tmp_path / "history.csv", index=False)
    with pytest.raises(errors.BadInput, match="a row for each epoch from 1 on"):
        history.read(tmp_path / "history.csv")
