"""A folder that TFDS prepared is data: what it names is not run, what is damaged is refused in one line."""

import json
import os
import shutil
import sys

import pytest
import tensorflow_datasets

from stages.running import errors
from stages.sources import prepared

DICT = "tensorflow_datasets.core.features.features_dict.FeaturesDict"
EVIL = {"pythonClassName": "mydata.evil.X", "image": {}}
LEGACY = {"image": {"type": "mydata.evil.X", "content": {}}}
PROTO_TEXT = json.dumps({"features": {"image": EVIL}})


@pytest.fixture
def folder(pets, tmp_path):
    return shutil.copytree(pets.folder, tmp_path / "pets")


@pytest.fixture
def imported(tmp_path, monkeypatch):
    """A file that appears when mydata.evil, which Python would find, is imported."""
    (tmp_path / "mydata").mkdir()
    trace = tmp_path / "imported"
    (tmp_path / "mydata" / "evil.py").write_text(f"open({str(trace)!r}, 'w').close()")
    monkeypatch.syspath_prepend(tmp_path)
    yield trace
    sys.modules.pop("mydata.evil", None)
    sys.modules.pop("mydata", None)


def edit(path, change):
    value = json.loads(path.read_text())
    path.write_text(json.dumps(change(value)))


@pytest.mark.parametrize(
    "features",
    [
        EVIL,
        {"python_class_name": "mydata.evil.X", "image": {}},
        {"pythonClassName": DICT, "featuresDict": {"features": {"image": EVIL}}},
        {"pythonClassName": DICT, "jsonFeature": {"json": json.dumps(LEGACY)}},
        {"type": "mydata.evil.X", "content": {}},
        {"type": DICT, "content": LEGACY},
        {"type": DICT, "proto_cls": "tensorflow_datasets.FeaturesDict", "content": PROTO_TEXT},
    ],
    ids=["top", "snake case", "nested", "JSON text", "TFDS 4.0", "nested in TFDS 4.0", "protobuf text"],
)
def test_a_feature_that_is_not_of_tfds_is_not_imported(folder, imported, features):
    (folder / "features.json").write_text(json.dumps(features))
    with pytest.raises(
        errors.BadInput, match=r"expected only features of TFDS itself, found mydata\.evil\.X"
    ):
        prepared.builder(folder)
    assert not imported.exists()


def test_features_in_the_info_are_not_imported(folder, imported):
    edit(folder / "dataset_info.json", lambda info: info | {"features": EVIL})
    with pytest.raises(errors.BadInput, match=r"found mydata\.evil\.X"):
        prepared.builder(folder)
    assert not imported.exists()


def test_the_module_that_wrote_a_dataset_is_not_imported(folder, imported):
    edit(folder / "dataset_info.json", lambda info: info | {"moduleName": "mydata.evil"})
    assert prepared.builder(folder).name == "pets"
    assert not imported.exists()


def test_a_module_of_tfds_that_is_no_feature_is_refused(folder):
    edit(
        folder / "features.json",
        lambda features: features | {"pythonClassName": "tensorflow_datasets.scripts.X"},
    )
    with pytest.raises(errors.BadInput, match=r"found tensorflow_datasets\.scripts\.X"):
        prepared.builder(folder)


@pytest.mark.parametrize("legacy", [False, True], ids=["protobuf", "TFDS 4.0"])
def test_every_feature_of_tfds_is_its_own(folder, legacy):
    features = tensorflow_datasets.features
    image = features.Image()
    every = features.FeaturesDict(
        {
            "image": image,
            "type": features.Text(doc="[not JSON"),
            "label": features.ClassLabel(names=["cat", "dog"]),
            "mask": features.LabeledImage(labels=2),
            "boxes": features.Sequence({"box": features.BBoxFeature()}),
            "frames": features.Video(shape=(None, 4, 4, 3)),
            "nested": features.Dataset({"image": image}),
            "said": features.Translation(["de", "en"]),
        }
    )
    every.save_config(folder)
    if legacy:
        (folder / "features.json").write_text(json.dumps(every.to_json()))
    assert set(prepared.builder(folder).info.features) == set(every)


@pytest.mark.parametrize("file", ["features.json", "dataset_info.json"])
@pytest.mark.parametrize(
    "text", ["", "{", "[]", "3", "null", "{}", '{"type": 3}', '["x"]', "[" * 100_000, "9" * 5000, "\xff"]
)
def test_damaged_metadata_is_refused_in_one_line(folder, file, text):
    (folder / file).write_text(text, encoding="latin-1")
    with pytest.raises(errors.BadInput) as refusal:
        prepared.builder(folder)
    assert str(refusal.value).startswith(f"{folder}: expected a dataset that TFDS prepared as array_record: ")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("shape", {"dimensions": ["x"]}),
        ("shape", 3),
        ("dtype", "uint7"),
        ("dtype", None),
        ("encodingFormat", "mp3"),
    ],
)
def test_a_feature_of_wrong_types_is_refused(folder, place, value):
    def change(features):
        features["featuresDict"]["features"]["image"]["image"][place] = value
        return features

    edit(folder / "features.json", change)
    with pytest.raises(errors.BadInput, match="expected a dataset that TFDS prepared as array_record: "):
        prepared.builder(folder)


@pytest.mark.parametrize(
    "name", ["features.json", "dataset_info.json", "pets-train.array_record-00000-of-00001"]
)
def test_a_file_that_would_never_end_is_refused(folder, name):
    (folder / name).unlink()
    os.mkfifo(folder / name)
    with pytest.raises(errors.BadInput, match="is no plain file"):
        prepared.builder(folder)


def test_a_missing_array_record_is_asked_for(pets, monkeypatch):
    monkeypatch.setitem(sys.modules, "array_record.python.array_record_data_source", None)
    with pytest.raises(errors.BadInput, match="`pip install array_record` installs it on Linux"):
        prepared.builder(pets.folder)
