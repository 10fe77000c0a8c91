"""Encoded records: the same pixels as decoded ones, another view in every epoch, in an order that repeats."""

import io
import re
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from stages.inputs import encoded, manifest, tfrecord
from stages.running import errors
from stages.training import execution, features
from tests import tiny, training

CROP = {"random_resized_crop": {"area": [0.35, 1.0], "ratio": [0.75, 1.3333]}}
FLIP = {"flip_horizontal": {"probability": 0.5}}
SHAPE = (9, 8, 3)


@pytest.fixture(scope="module")
def arrays(tmp_path_factory):
    return tiny.subset(tmp_path_factory.mktemp("arrays"), shape=SHAPE)


@pytest.fixture(scope="module")
def build(tmp_path_factory, arrays):
    """A function that builds records; the cache is one of the module."""

    def records(way, folder=arrays, **changes):
        place = tmp_path_factory.mktemp(way)
        with pytest.MonkeyPatch.context() as patched:
            patched.setenv("IMAGE_PIPELINE_CACHE", str(place / "cache"))
            return tiny.build_records(place, folder, encoding=way, **changes)

    return records


@pytest.fixture(scope="module")
def built(build):
    return build("encoded", augment=[CROP, FLIP])


def epoch(folder, number, batch=7, seed=0):
    """Images, labels and positions of one epoch, in its order."""
    batches = encoded.read(folder).batches(batch, [number], seed)
    return [np.concatenate(part) for part in zip(*batches, strict=True)]


def by_position(folder, number):
    """The images and labels of an epoch, sorted by position and content."""
    images, labels, positions = epoch(folder, number)
    rows = zip(positions.tolist(), labels.tolist(), (image.tobytes() for image in images), strict=True)
    return sorted(rows)


@pytest.mark.parametrize("augment", [[], [CROP, FLIP], [FLIP, {"translate": {"pixels": 2}}, CROP]])
def test_both_ways_give_the_same_pixels_of_an_image(build, augment):
    decoded, other = (build(way, augment=augment) / "train" for way in ("decoded", "encoded"))
    for number in range(tiny.RECORDS["views"]):
        assert by_position(other, number) == by_position(decoded, number)
    if augment:
        assert by_position(other, 2) != by_position(decoded, 2) == by_position(decoded, 0)


def test_repeated_images_are_those_of_decoded_records(build, tmp_path):
    unequal = tiny.subset(tmp_path / "arrays", shape=SHAPE)
    labels = np.load(unequal / "train/labels.npy")
    labels[:] = np.arange(len(labels)) % 5 == 0
    np.save(unequal / "train/labels.npy", labels)
    decoded, other = (
        build(way, unequal, balance="equal", augment=[CROP]) / "train" for way in ("decoded", "encoded")
    )
    for number in range(2):
        assert by_position(other, number) == by_position(decoded, number)


def test_only_the_training_split_is_encoded(build, built):
    decoded = build("decoded", augment=[CROP, FLIP])
    for split in ("val", "test"):
        assert tiny.digests(built / split) == tiny.digests(decoded / split)
    of_both = [manifest.read(each / "train") for each in (built, decoded)]
    assert of_both[0].normalization == of_both[1].normalization
    assert of_both[0].encoded and not of_both[1].encoded
    assert isinstance(encoded.read(decoded / "train"), tfrecord.Split)


def test_every_epoch_is_another_view_in_another_order_that_repeats(built):
    first, again, second = (epoch(built / "train", number) for number in (5, 5, 6))
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)
    assert first[2].tolist() != second[2].tolist()
    assert by_position(built / "train", 5) != by_position(built / "train", 6)
    assert first[2].tolist() != epoch(built / "train", 5, seed=1)[2].tolist()


def test_epochs_of_one_pipeline_are_those_of_one_each(built):
    split = encoded.read(built / "train")
    together = [batch[0].numpy() for batch in split.batches(7, [3, 4], 1)]
    apart = [batch[0].numpy() for number in (3, 4) for batch in split.batches(7, [number], 1)]
    for one, other in zip(together, apart, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("batch", [7, 24])
def test_a_worker_decodes_the_shares_of_its_own_replicas(built, batch):
    """24 images: batches of 7, 7, 7 and 3, or one of 24."""
    split = encoded.read(built / "train")
    whole = [part[0].numpy() for part in split.batches(batch, [2, 3])]
    for first, behind, count in ((0, 1, 3), (1, 3, 3), (0, 3, 3)):
        found = [part[0].numpy() for part in split.batches(batch, [2, 3], 0, (first, behind, count))]
        for mine, images in zip(found, whole, strict=True):
            begin, end = (len(images) * replica // count for replica in (first, behind))
            np.testing.assert_array_equal(mine[begin:end], images[begin:end])
            assert not mine[:begin].any() and not mine[end:].any() and images.any(axis=(1, 2, 3)).all()


def test_few_images_are_shuffled_at_a_time(built, monkeypatch):
    split = encoded.read(built / "train")
    stored = np.concatenate([batch[2] for batch in split.blocks(0, 0)])
    mean = sum(split.manifest.shard_bytes.values()) // len(stored)
    monkeypatch.setattr(encoded, "SHUFFLED_BYTES", 4 * mean)
    found = epoch(built / "train", 0)[2].tolist()
    ahead = [place - found.index(position) for place, position in enumerate(stored.tolist())]
    assert found != stored.tolist() and max(ahead) < 4  # an image is at most so much earlier
    monkeypatch.setattr(encoded, "SHUFFLED_BYTES", 1)
    assert epoch(built / "train", 0)[2].tolist() == stored.tolist()


def smooth(count, height, width, channels):
    """Pictures without noise, which JPEG keeps well."""
    coarse = np.random.default_rng(0).integers(0, 256, (count, 3, 3, 3), np.uint8)
    images = [Image.fromarray(each).resize((width, height), Image.Resampling.BICUBIC) for each in coarse]
    return [np.asarray(each, np.uint8)[..., :channels] for each in images]


@pytest.mark.parametrize("channels", [1, 3])
def test_photographs_become_jpeg_files_which_decode_alike(build, tmp_path, channels):
    arrays = tiny.subset(tmp_path / "arrays", shape=(80, 72, channels))
    pictures = smooth(24, 80, 72, channels)
    stored = np.load(arrays / "train/images.npy")
    stored[:] = pictures
    np.save(arrays / "train/images.npy", stored)
    folder = build("encoded", arrays, augment=[]) / "train"
    assert manifest.read(folder).model_dump()["encoded"]["format"] == "jpeg"
    (record,) = tf.data.TFRecordDataset(str(folder / encoded.shard_name(0)))
    files = tf.train.Example.FromString(record.numpy()).features.feature["images"].bytes_list.value
    places = np.load(arrays / "train/positions.npy").tolist()
    images, _, positions = epoch(folder, 0)
    for image, position in zip(images, positions.tolist(), strict=True):
        place = places.index(position)
        expected = np.asarray(Image.open(io.BytesIO(files[place]))).reshape(image.shape)
        np.testing.assert_array_equal(image, expected)
        assert np.abs(image.astype(int) - pictures[place]).mean() < 3  # of 255, at quality 90
    smaller = build("encoded", arrays, augment=[], encoded={"quality": 30, "short_side": None}) / "train"
    sizes = [sum(manifest.read(each).shard_bytes.values()) for each in (smaller, folder)]
    assert sizes[0] < sizes[1]


def test_a_corrupt_file_is_named(build, tmp_path):
    folder = build("encoded", augment=[]) / "train"
    shard = folder / encoded.shard_name(0)
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    with pytest.raises(errors.BadInput, match=rf"corrupt or foreign file: {re.escape(str(shard))}; rerun"):
        epoch(folder, 0)


@pytest.mark.parametrize("damage", [lambda labels: labels[:-1], lambda labels: 1 - labels, np.float32])
def test_labels_that_are_not_those_of_the_records_are_noticed(built, tmp_path, damage):
    labels = np.load(built / "train" / encoded.LABELS)
    other = shutil.copytree(built / "train", tmp_path / "train")
    np.save(other / encoded.LABELS, damage(labels))
    with pytest.raises(errors.BadInput, match="rerun the records stage"):
        epoch(other, 0)


def test_labels_are_not_read_if_their_header_claims_others(built, tmp_path):
    other = shutil.copytree(built / "train", tmp_path / "train")
    header = {"descr": "<i8", "fortran_order": False, "shape": (10**12,)}  # 8 TB: reading is a MemoryError
    with (other / encoded.LABELS).open("r+b") as file:
        np.lib.format.write_array_header_1_0(file, header)
    expected = r"int64 of the shape \(24,\), received int64 of the shape \(1000000000000,\)"
    with pytest.raises(errors.BadInput, match=rf"labels\.npy: expected {expected}; rerun the records stage"):
        encoded.read(other)


def test_a_network_trains_on_encoded_records(built, tmp_path, capsys):
    model = {"name": "airbench", **training.OPTIONS["airbench"]}  # takes first weights from some images
    found = [training.run(built, tmp_path / name, model=model) for name in ("one", "two")]
    (one, other) = (training.load(folder).get_weights() for folder in found)
    for left, right in zip(one, other, strict=True):
        np.testing.assert_array_equal(left, right)
    assert "stepwise" in capsys.readouterr().out
    with pytest.raises(errors.BadInput, match=r"train\.resident is true, which expects decoded records"):
        training.run(built, tmp_path / "resident", resident=True)


def test_encoded_records_are_not_put_into_a_devices_memory(built):
    network = keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(2)])
    split = encoded.read(built / "train")
    assert execution.choose("auto", True, "gpu", network, split, 1) == "compiled"


def test_features_of_encoded_records_are_of_every_image(built):
    split = encoded.read(built / "train")
    pixels = keras.Input(SHAPE, dtype="uint8")
    mean = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(pixels))
    made = features.Split(split, keras.Model(pixels, mean), 64, 2, "the images")
    read = made.streamed(5, range(3))
    for number in range(3):
        values, labels, positions = map(np.concatenate, zip(*read(number), strict=True))
        images, of_images, places = epoch(built / "train", number % 2)
        order = [places.tolist().index(position) for position in positions.tolist()]
        np.testing.assert_array_equal(labels, of_images[order])
        np.testing.assert_allclose(values, images[order].mean(axis=(1, 2)) / 255, rtol=1e-5)
