"""Datasets that tensorflow-datasets prepares: the right ones are read, the wrong ones refused."""

import importlib.util
import io
import json
import shutil

import numpy as np
import pytest
import tensorflow_datasets
from PIL import Image

from stages.datasets import tfds
from stages.running import errors

SQUARE = {"image": np.zeros((4, 4, 3), np.uint8), "label": 0}


def by_content(images, labels):
    return sorted(
        (image.tobytes(), image.shape, int(label)) for image, label in zip(images, labels, strict=True)
    )


def test_a_prepared_dataset_is_read_with_every_image_beside_its_label(pets):
    names, splits = tfds.read(pets.folder)
    assert names == ["cat", "dog"]
    assert set(splits) == {"train", "test"}
    for split, (images, labels) in splits.items():
        stored = pets.examples[split]
        assert len(images) == len(labels) == len(stored)
        read = by_content(images[np.arange(len(images))], labels)
        assert read == by_content([each["image"] for each in stored], [each["label"] for each in stored])


def test_images_are_arrays_of_their_own_sizes_and_labels_are_integers(pets):
    images, labels = tfds.read(pets.folder)[1]["train"]
    chosen = images[np.array([3, 0])]
    assert labels.dtype == np.int64
    assert {image.dtype for image in chosen} == {np.dtype(np.uint8)}
    assert {image.shape for image in images[np.arange(12)]} == {(4, 5, 3), (5, 5, 3), (6, 5, 3)}


def test_images_come_in_the_order_they_are_asked_for(pets):
    images, _ = tfds.read(pets.folder)[1]["train"]
    whole = images[np.arange(12)]
    for position, image in zip([5, 2, 5], images[np.array([5, 2, 5])], strict=True):
        assert np.array_equal(image, whole[position])


def test_a_damaged_picture_is_named_by_split_and_position(prepare_tfds, pets_features):
    content = io.BytesIO()
    Image.new("RGB", (30, 30)).save(content, "JPEG")
    examples = [SQUARE, {"image": content.getvalue()[:-40], "label": 1}]
    images, _ = tfds.read(prepare_tfds("torn", pets_features, train=examples))[1]["train"]
    with pytest.raises(errors.BadInput, match=r"train image \d: expected a picture"):
        images[np.arange(2)]


def test_a_palette_picture_has_its_colours(prepare_tfds, pets_features):
    content = io.BytesIO()
    Image.new("RGB", (4, 4), (255, 0, 0)).convert("P").save(content, "GIF")
    folder = prepare_tfds("painted", pets_features, train=[{"image": content.getvalue(), "label": 0}])
    images, _ = tfds.read(folder)[1]["train"]
    assert (images[np.array([0])][0] == (255, 0, 0)).all()


def test_a_dataset_brings_no_code(pets, tmp_path, monkeypatch):
    folder = shutil.copytree(pets.folder, tmp_path / "pets")
    (tmp_path / "evil.py").write_text("raise SystemExit('ran')")
    monkeypatch.syspath_prepend(tmp_path)
    for key in ("pythonClassName", "python_class_name", "type"):
        features = json.loads((pets.folder / "features.json").read_text())
        features["featuresDict"]["features"]["image"] = {key: "evil.Image", "content": {}}
        (folder / "features.json").write_text(json.dumps(features))
        with pytest.raises(errors.BadInput, match=r"only TFDS's own feature classes, found 'evil\.Image'"):
            tfds.read(folder)


@pytest.mark.parametrize("name", ["features.json", "dataset_info.json"])
@pytest.mark.parametrize("content", ["{", "[]", "{}", "3", "[" * 5000])
def test_a_damaged_description_is_refused(pets, tmp_path, name, content):
    folder = shutil.copytree(pets.folder, tmp_path / "pets")
    (folder / name).write_text(content)
    with pytest.raises(errors.BadInput, match="expected a dataset that TFDS prepared"):
        tfds.read(folder)


def test_without_array_record_it_is_asked_for(pets, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(errors.BadInput, match="pip install array_record"):
        tfds.read(pets.folder)


def test_a_dataset_without_labels_is_refused_before_it_is_fetched(tmp_path):
    with pytest.raises(errors.BadInput, match="TFDS dataset coco: expected features 'image' and 'label'"):
        tfds.urls("coco", tmp_path)


@pytest.mark.parametrize("name", ["pets", "pets:1.0.0"])
def test_what_a_name_leaves_out_may_be_any(pets, name):
    tfds.require(name, pets.folder)


@pytest.mark.parametrize("name", ["pets:2.0.0", "pets/blue", "pets/blue:1.0.0"])
def test_another_version_or_configuration_is_refused(pets, name):
    with pytest.raises(errors.BadInput, match=rf"expected TFDS dataset '{name}', found 'pets:1\.0\.0'"):
        tfds.require(name, pets.folder)


def test_a_dataset_in_another_format_is_refused(prepare_tfds, pets_features):
    folder = prepare_tfds("streamed", pets_features, file_format="tfrecord", train=[SQUARE])
    with pytest.raises(errors.BadInput, match=r"expected a dataset that TFDS prepared as array_record"):
        tfds.read(folder)


def test_a_folder_without_a_prepared_dataset_is_refused(tmp_path):
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(errors.BadInput, match="expected a dataset that TFDS prepared"):
            tfds.read(folder)


def test_a_dataset_without_labels_is_refused_with_what_it_has(prepare_tfds, pets_features):
    features = {"image": pets_features["image"], "mask": pets_features["image"]}
    example = {"image": SQUARE["image"], "mask": SQUARE["image"]}
    with pytest.raises(errors.BadInput, match=r"expected features 'image' and 'label', found \[.*'mask'"):
        tfds.read(prepare_tfds("segments", features, train=[example]))


def test_a_label_that_is_no_class_is_refused(prepare_tfds, pets_features):
    features = {"image": pets_features["image"], "label": tensorflow_datasets.features.Scalar(np.int64)}
    with pytest.raises(errors.BadInput, match="label"):
        tfds.read(prepare_tfds("ages", features, train=[SQUARE]))


def test_images_that_are_no_bytes_are_refused(prepare_tfds, pets_features):
    image = tensorflow_datasets.features.Image(shape=(4, 4, 1), dtype=np.float32)
    example = {"image": np.zeros((4, 4, 1), np.float32), "label": 0}
    with pytest.raises(errors.BadInput, match="float32"):
        tfds.read(prepare_tfds("depths", {**pets_features, "image": image}, train=[example]))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("cifar11", "unknown TFDS dataset 'cifar11'; .*Did you mean 'cifar10"),
        ("cifar10:1.0.0", "1.0.0"),
        ("mnist_corrupted/fogg", "BuilderConfig fogg not found"),
        ("no name", "no name"),
    ],
)
def test_a_dataset_that_tfds_does_not_know_is_refused(tmp_path, name, said):
    with pytest.raises(errors.BadInput, match=said):
        tfds.urls(name, tmp_path)


def test_the_urls_of_a_dataset_are_the_registered_ones(tmp_path):
    assert tfds.urls("cifar10", tmp_path) == ["https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"]


def test_a_dataset_that_registers_no_url_has_none(tmp_path):
    assert tfds.urls("imagenet2012_fewshot", tmp_path) == []


def test_a_prepared_dataset_needs_no_url(prepare_tfds, pets_features):
    folder = prepare_tfds("cifar10", pets_features, version="3.0.2", train=[SQUARE])
    assert tfds.urls("cifar10", folder.parents[1]) == []


def test_a_prepared_dataset_is_not_prepared_again(pets):
    data_dir = pets.folder.parents[1]
    before = {file: file.stat().st_mtime_ns for file in pets.folder.iterdir()}
    assert tfds.prepare("pets", data_dir) == pets.folder
    assert {file: file.stat().st_mtime_ns for file in pets.folder.iterdir()} == before


def test_files_that_must_be_fetched_by_hand_are_asked_for(tmp_path):
    with pytest.raises(errors.BadInput, match="could not prepare imagenet2012: Manual directory"):
        tfds.prepare("imagenet2012", tmp_path)


def test_a_dataset_with_a_lost_file_is_refused(pets, tmp_path):
    folder = shutil.copytree(pets.folder, tmp_path / "pets")
    (lost,) = folder.glob("pets-train*")
    lost.unlink()
    with pytest.raises(errors.BadInput, match="expected a dataset that TFDS prepared"):
        tfds.read(folder)


def test_a_prepared_dataset_of_another_name_is_refused(pets):
    tfds.require("pets", pets.folder)
    with pytest.raises(errors.BadInput, match=r"expected TFDS dataset 'mnist:3\.0\.1', found 'pets:1\.0\.0'"):
        tfds.require("mnist:3.0.1", pets.folder)
