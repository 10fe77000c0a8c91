"""Digits: the real data, since it comes with scikit-learn."""

import hashlib
from typing import Any

import numpy as np
import pytest
from sklearn import datasets

from stages.datasets import digits


@pytest.fixture(scope="module")
def splits(tmp_path_factory):
    folder = tmp_path_factory.mktemp("digits")
    for name, content in digits.bundled():
        (folder / name).write_bytes(content)
    names, splits = digits.read(folder)
    assert names == digits.CLASSES
    return splits


def test_the_bundled_file_is_the_published_one():
    ((name, content),) = digits.bundled()
    assert {name: hashlib.sha256(content).hexdigest()} == digits.FILES


def test_only_the_published_file_is_unpacked():
    members: list[tuple[str, Any]] = [
        ("digits.rst", lambda: pytest.fail("opened")),
        ("digits.csv", "0,1".encode),
    ]
    assert list(digits.unpack(members)) == [("digits.csv", b"0,1")]


def test_images_and_labels_are_those_of_scikit_learn_in_order(splits):
    expected = datasets.load_digits()
    images, labels = (np.concatenate([splits[split][i] for split in ("train", "test")]) for i in (0, 1))
    assert np.array_equal(labels, expected.target)
    assert np.array_equal(np.round(images[..., 0] * (16 / 255)), expected.images)


def test_pixels_use_the_whole_range(splits):
    expected = [0, 16, 32, 48, 64, 80, 96, 112, 128, 143, 159, 175, 191, 207, 223, 239, 255]
    assert np.unique(splits["train"][0]).tolist() == expected


def test_every_class_is_in_both_splits_and_no_image_is(splits):
    for _, labels in splits.values():
        assert set(labels) == set(range(10))
    train, test = ({image.tobytes() for image in splits[split][0]} for split in ("train", "test"))
    assert not train & test
