"""Datasets that tensorflow-datasets prepares: the right ones are read, the wrong ones refused."""

import io
import json
import re
import shutil
import sys

import numpy as np
import pytest
import tensorflow_datasets
from PIL import Image

from stages.datasets import tfds
from stages.decoding import picture
from stages.running import ellipsis, errors, paramfile
from tests.pictures import decoded

SQUARE = {"image": np.zeros((4, 4, 3), np.uint8), "label": 0}


def by_content(images, labels):
    return sorted(
        (image.tobytes(), image.shape, int(label)) for image, label in zip(images, labels, strict=True)
    )


def test_a_prepared_dataset_is_read_with_each_images_own_label(pets):
    names, splits = tfds.read(pets.folder)
    assert names == ["cat", "dog"]
    assert set(splits) == {"train", "test"}
    for split, (images, labels) in splits.items():
        stored = pets.examples[split]
        assert len(images) == len(labels) == len(stored)
        read = by_content(decoded(images), labels)
        assert read == by_content([each["image"] for each in stored], [each["label"] for each in stored])


def test_images_are_arrays_of_own_sizes_and_labels_are_integers(pets):
    images, labels = tfds.read(pets.folder)[1]["train"]
    chosen = decoded(images, [3, 0])
    assert labels.dtype == np.int64
    assert {image.dtype for image in chosen} == {np.dtype(np.uint8)}
    assert {image.shape for image in decoded(images)} == {(4, 5, 3), (5, 5, 3), (6, 5, 3)}


def test_images_come_in_the_order_they_are_asked_for(pets):
    images, _ = tfds.read(pets.folder)[1]["train"]
    whole = decoded(images)
    assert len(whole) == 12
    for position, image in zip([5, 2, 5], decoded(images, [5, 2, 5]), strict=True):
        assert np.array_equal(image, whole[position])


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
    with pytest.raises(errors.BadInput, match=r"train image 0: cannot be read: .*No such file"):
        tfds.read(folder)


@pytest.mark.parametrize(
    "text", ["cat\n", "cat\ncat\n", "cat\ndog\ncow\n"], ids=["too few", "twice one", "too many"]
)
def test_class_names_that_do_not_fit_are_refused(pets, tmp_path, text):
    folder = shutil.copytree(pets.folder, tmp_path / "pets")
    (folder / "label.labels.txt").write_text(text)
    with pytest.raises(errors.BadInput, match="expected different names of 2 classes, found"):
        tfds.read(folder)


@pytest.fixture(scope="session")
def red_shades(prepare_tfds, pets_features):
    """A dataset with a configuration, shades/red 1.0.0."""
    folder = prepare_tfds("shades", pets_features, train=[SQUARE], test=[SQUARE])
    info = json.loads((folder / "dataset_info.json").read_text())
    (folder / "dataset_info.json").write_text(json.dumps(info | {"configName": "red"}))
    return folder


@pytest.mark.parametrize(
    "name",
    [
        "shades",
        "Shades",
        "shades/red",
        "shades:1.0.0",
        "shades:1.*.*",
        "shades/red:1.0.0",
        "shades/red:*.*.*",
    ],
)
def test_a_prepared_dataset_is_taken_by_what_is_named_of_it(red_shades, name):
    assert tfds.require(name, red_shades) == "shades/red:1.0.0"


@pytest.mark.parametrize(
    "name",
    [
        "blue",
        "shades/blue",
        "shades:2.0.0",
        "shades:2.*.*",
        "shades/blue:1.0.0",
        "shades/red:1.0.1",
        "red/shades",
    ],
)
def test_a_prepared_dataset_that_is_another_one_is_refused(red_shades, name):
    with pytest.raises(errors.BadInput) as refusal:
        tfds.require(name, red_shades)
    assert str(refusal.value) == f"{red_shades}: expected TFDS dataset {name!r}, found 'shades/red:1.0.0'"


def test_a_configuration_is_no_name_of_a_dataset_without_any(pets):
    assert tfds.require("pets", pets.folder) == "pets:1.0.0"
    with pytest.raises(errors.BadInput, match=r"expected TFDS dataset 'pets/red', found 'pets:1\.0\.0'"):
        tfds.require("pets/red", pets.folder)


def encode(mode, file_format="PNG", colour="red"):
    buffer = io.BytesIO()
    Image.new("RGB", (5, 4), colour).convert(mode).save(buffer, file_format, quality=100)
    return buffer.getvalue()


def test_every_picture_of_a_dataset_gets_the_declared_channels(prepare_tfds, pets_features):
    pictures = [encode("RGB"), encode("P"), encode("P", "GIF"), encode("RGBA"), encode("CMYK", "JPEG")]
    folder = prepare_tfds("mixed", pets_features, train=[{"image": each, "label": 0} for each in pictures])
    images, _ = tfds.read(folder)[1]["train"]
    assert len(images) == len(pictures)
    for image in decoded(images):
        assert image.shape == (4, 5, 3)
        assert np.abs(image.astype(int) - [255, 0, 0]).max() <= 3


def test_channels_that_a_dataset_leaves_open_are_rgb(prepare_tfds, pets_features):
    features = pets_features | {"image": tensorflow_datasets.features.Image(shape=(None, None, None))}
    folder = prepare_tfds("open", features, train=[{"image": encode("L"), "label": 0}])
    assert decoded(tfds.read(folder)[1]["train"][0])[0].shape == (4, 5, 3)


def test_images_that_are_stored_as_arrays_are_read(prepare_tfds, pets_features):
    array = np.arange(32, dtype=np.uint8).reshape(4, 4, 2)
    features = pets_features | {"image": tensorflow_datasets.features.Tensor(shape=(4, 4, 2), dtype=np.uint8)}
    folder = prepare_tfds("arrays", features, train=[{"image": array, "label": 1}])
    assert np.array_equal(decoded(tfds.read(folder)[1]["train"][0])[0], array)


def test_a_picture_that_cannot_be_decoded_is_named(prepare_tfds, pets_features):
    pictures = [encode("RGB", "JPEG"), encode("RGB", "JPEG")[:-80], encode("RGB", "JPEG")]
    folder = prepare_tfds("torn", pets_features, train=[{"image": each, "label": 0} for each in pictures])
    images, labels = tfds.read(folder)[1]["train"]
    assert len(labels) == len(decoded(images, [0, 2])) + 1
    with pytest.raises(errors.BadInput, match=f"{folder}: train image 1: cannot be decoded: "):
        decoded(images)


def test_an_example_that_cannot_be_read_is_named(prepare_tfds, pets_features):
    picture = np.random.default_rng(0).integers(0, 256, (99, 99, 3), np.uint8)
    folder = prepare_tfds("bitten", pets_features, train=[{"image": picture, "label": 0}] * 5)
    (shard,) = folder.glob("bitten-train*")
    content = bytearray(shard.read_bytes())
    starts = [match.start() for match in re.finditer(b"IHDR", content)]
    content[starts[2] + 100] ^= 1
    shard.write_bytes(content)
    with pytest.raises(errors.BadInput, match=f"{folder}: train image 2: cannot be read: "):
        tfds.read(folder)


def test_only_images_and_labels_are_decoded(prepare_tfds, pets_features):
    features = pets_features | {"mask": pets_features["image"]}
    example = {"image": encode("RGB"), "label": 0, "mask": b"no picture"}
    folder = prepare_tfds("masked", features, train=[example])
    assert decoded(tfds.read(folder)[1]["train"][0])[0].shape == (4, 5, 3)


def test_a_dataset_without_labels_is_refused_before_fetching(tmp_path):
    with pytest.raises(errors.BadInput, match=r"TFDS dataset coco: expected features 'image' and 'label'"):
        tfds.urls("coco", tmp_path)


def test_a_dataset_without_a_train_split_is_refused_when_checked(prepare_tfds, pets_features):
    folder = prepare_tfds("untrainable", pets_features, test=[SQUARE])
    with pytest.raises(errors.BadInput, match="expected a published train split, found only test"):
        tfds.require("untrainable", folder)


def test_a_missing_array_record_is_said_before_fetching(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "array_record.python.array_record_data_source", None)
    with pytest.raises(errors.BadInput, match="TFDS datasets need the package array_record"):
        tfds.urls("cifar10", tmp_path)


def test_a_package_that_a_dataset_lacks_is_named(tmp_path):
    with pytest.raises(
        errors.BadInput, match="cannot load huggingface:mnist: No module named 'huggingface_hub'"
    ):
        tfds.urls("huggingface:mnist", tmp_path)


def test_a_cached_dataset_with_a_foreign_feature_is_refused(pets, tmp_path):
    folder = shutil.copytree(pets.folder, tmp_path / "pets" / "1.0.0")
    (folder / "features.json").write_text('{"pythonClassName": "mydata.evil.X"}')
    with pytest.raises(
        errors.BadInput, match=r"expected only features of TFDS itself, found mydata\.evil\.X"
    ):
        tfds.urls("pets", tmp_path)


def test_what_tfds_left_unfinished_in_the_cache_is_passed_over(pets, tmp_path):
    shutil.copytree(pets.folder, tmp_path / "pets" / "1.0.0")
    unfinished = shutil.copytree(pets.folder, tmp_path / "pets" / "incomplete.X_1.0.0")
    (unfinished / "features.json").write_text("{")
    assert tfds.urls("pets", tmp_path) == []


@pytest.mark.parametrize("channels", [1, 4])
def test_pictures_get_the_channels_that_their_dataset_declares(prepare_tfds, pets_features, channels):
    features = pets_features | {"image": tensorflow_datasets.features.Image(shape=(None, None, channels))}
    pictures = [encode("RGB"), encode("L"), encode("P", "GIF")]
    folder = prepare_tfds(f"of{channels}", features, train=[{"image": each, "label": 0} for each in pictures])
    images, _ = tfds.read(folder)[1]["train"]
    assert {image.shape for image in decoded(images)} == {(4, 5, channels)}


@pytest.mark.parametrize("asked", [1, 3, 4])
def test_channels_that_are_asked_for_replace_the_declared(prepare_tfds, pets_features, asked):
    features = pets_features | {"image": tensorflow_datasets.features.Image(shape=(None, None, 4))}
    pictures = [encode("RGB"), encode("L"), encode("RGBA", colour="lime")]
    folder = prepare_tfds(f"asked{asked}", features, train=[{"image": each, "label": 0} for each in pictures])
    images, _ = tfds.read(folder)[1]["train"]
    shapes = {images.decode(position, picture.Colours(asked)).shape for position in range(3)}
    assert shapes == {(4, 5, asked)}


def test_transparent_pixels_are_composed_on_the_background(prepare_tfds, pets_features):
    buffer = io.BytesIO()
    Image.new("RGBA", (5, 4), (200, 0, 0, 0)).save(buffer, "PNG")
    folder = prepare_tfds("clear", pets_features, train=[{"image": buffer.getvalue(), "label": 0}])
    image = tfds.read(folder)[1]["train"][0].decode(0, picture.Colours(3, (1, 2, 3)))
    assert (image == [1, 2, 3]).all()


def test_stored_arrays_get_the_channels_that_are_asked_for(prepare_tfds, pets_features):
    features = pets_features | {"image": tensorflow_datasets.features.Tensor(shape=(4, 4, 3), dtype=np.uint8)}
    folder = prepare_tfds("colours", features, train=[{"image": np.full((4, 4, 3), 7, np.uint8), "label": 1}])
    grey = tfds.read(folder)[1]["train"][0].decode(0, picture.Colours(1))
    assert grey.shape == (4, 4, 1) and (grey == 7).all()


def test_pictures_that_cannot_be_decoded_are_counted_by_download(
    prepare_tfds, pets_features, tmp_path, monkeypatch
):
    monkeypatch.setattr(ellipsis, "SHOWN", 2)
    torn = encode("RGB", "JPEG")[:-80]
    pictures = [torn, encode("RGB"), torn, torn]
    folder = prepare_tfds("torn4", pets_features, train=[{"image": each, "label": 0} for each in pictures])
    options = paramfile.check(tfds.Options, {"builder": "torn4"}, "download.dataset")
    with pytest.raises(errors.BadInput) as caught:
        tfds.fetch(options, "auto", folder, tmp_path)
    heading, *named, more = str(caught.value).splitlines()
    assert heading == "3 of 4 images cannot be decoded:"
    assert [line.split(": cannot be")[0] for line in named] == [
        f"  {folder}: train image {i}" for i in (0, 2)
    ]
    assert more == "  and 1 more"
    assert not list(tmp_path.iterdir())
