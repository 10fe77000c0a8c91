"""Every dataset reads its raw files into classes, images and labels of the same form."""

from typing import Any, NamedTuple

import numpy as np
import pytest

from stages.datasets import digits
from stages.running import plugins
from tests import pictures, sandbox


class Row(NamedTuple):
    """A dataset's fake raw files, a fixture, and what is read from them."""

    raw: str
    options: dict[str, Any]
    classes: list[str]
    counts: dict[str, int]  # images by published split
    shape: tuple[int | None, ...]  # of an image; None is any size


ROWS = {  # one per file of stages/datasets/
    "cifar10": Row("raw_cifar10", {}, ["airplane", "truck"], {"train": 100, "test": 20}, (32, 32, 3)),
    "digits": Row("raw_digits", {}, ["zero", "nine"], {"train": 1437, "test": 360}, (8, 8, 1)),
    "fashion_mnist": Row(
        "raw_fashion_mnist", {}, ["T-shirt/top", "Ankle boot"], {"train": 30, "test": 10}, (28, 28, 1)
    ),
    "folder": Row("raw_folder", pictures.FOLDER, ["cat", "dog"], {"train": 6, "test": 4}, (10, 12, 3)),
    "table": Row("raw_table", pictures.TABLE, ["cat", "dog"], {"train": 6, "val": 2}, (10, 12, 3)),
    "tfds": Row("raw_pets", {"builder": "pets"}, ["cat", "dog"], {"train": 12, "test": 4}, (None, 5, 3)),
}


@pytest.fixture
def raw_digits(tmp_path):
    for name, content in digits.bundled():
        (tmp_path / name).write_bytes(content)
    return tmp_path


@pytest.fixture
def raw_pets(pets):
    return pets.folder


@pytest.fixture
def raw_folder(tmp_path):
    names = [*pictures.numbered(["cat", "dog"], 3, "train/"), *pictures.numbered(["cat", "dog"], 2, "test/")]
    pictures.collected("folder", pictures.write(tmp_path / "mine", *names), tmp_path / "raw")
    return tmp_path / "raw"


@pytest.fixture
def raw_table(tmp_path):
    names = pictures.numbered(["cat", "dog"], 4)
    place = pictures.write(tmp_path / "mine", *names)
    rows = [f"{name},{name[:3]},{'val' if '003' in name else 'train'}" for name in names]
    pictures.put(place / "labels.csv", "\n".join(["file,label,split", *rows]).encode())
    columns = {**pictures.COLUMNS, "split": "split"}
    pictures.collected("table", place, tmp_path / "raw", columns=columns)
    return tmp_path / "raw"


@pytest.fixture(params=plugins.names("datasets"))
def row(request):
    """A row, its raw folder and its module with its checked options."""
    name = request.param
    assert name in ROWS, f"add a row for {name} to this file"
    chosen = plugins.choose("datasets", {"name": name, **ROWS[name].options}, "download.dataset")
    return ROWS[name], request.getfixturevalue(ROWS[name].raw), chosen.module


def test_the_classes_are_named_in_the_order_of_the_labels(row):
    expected, raw, dataset = row
    names, _ = dataset.read(raw)
    assert [names[0], names[-1]] == expected.classes
    assert len(set(names)) == len(names)


def test_every_published_split_has_its_images(row):
    expected, raw, dataset = row
    _, splits = dataset.read(raw)
    assert {split: len(images) for split, (images, _) in splits.items()} == expected.counts
    assert {split: len(labels) for split, (_, labels) in splits.items()} == expected.counts


def test_images_are_bytes_of_the_declared_shape(row):
    expected, raw, dataset = row
    for images, labels in dataset.read(raw)[1].values():
        assert len(images) == len(labels)
        for image in pictures.decoded(images):
            assert image.dtype == np.uint8
            assert all(size in (None, other) for size, other in zip(expected.shape, image.shape, strict=True))


def test_labels_are_those_of_the_classes(row):
    _, raw, dataset = row
    names, splits = dataset.read(raw)
    for _, labels in splits.values():
        assert labels.dtype == np.int64
        assert set(labels) == set(range(len(names)))


def test_one_file_is_a_dataset(tmp_path):
    """The example of docs/extending.md, up to its file's name, reads what is described there."""
    page = (sandbox.PROJECT / "docs/extending.md").read_text(encoding="utf-8")
    code = page.split("```python\n")[1].split("```")[0]
    module: dict[str, Any] = {}
    exec(code, module)
    np.save(tmp_path / "images.npy", np.zeros((2, 8, 8, 1), np.uint8))
    np.save(tmp_path / "labels.npy", np.array([0, 1]))
    names, splits = module["read"](tmp_path)
    assert names == ["circle", "square"] and splits["train"][0].shape == (2, 8, 8, 1)
