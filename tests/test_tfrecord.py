"""What is written as records is read back, every image once per epoch, and damage is noticed."""

import errno
import hashlib
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from stages.inputs import manifest, tfrecord
from stages.running import errors, outputs

# Each example that fails keeps the threads of its tf.data alive; shrinking it would make hundreds.
few = settings(max_examples=15, deadline=None, phases=[Phase.explicit, Phase.generate])


def write(folder, images, labels, positions, per_record=2, shards=1, views=1):
    """A split of `views` views; view v holds the images from the v-th on, then those before."""
    folder.mkdir(exist_ok=True)
    for view in range(views):
        order = np.roll(np.arange(len(images)), -view)
        records = [
            tfrecord.serialize(images[block], labels[block], positions[block])
            for block in (order[i : i + per_record] for i in range(0, len(order), per_record))
        ]
        cuts = np.array_split(np.arange(len(records)), shards)
        for shard, indices in enumerate(cuts):
            tfrecord.write_shard(folder / tfrecord.shard_name(view, shard), [records[i] for i in indices])
    classes = max(labels, default=0) + 1
    in_view = np.bincount(labels, minlength=classes).tolist()
    values = {
        "augment": [],
        "class_images": in_view,
        "class_images_in_view": in_view,
        "classes": [f"class {label}" for label in range(classes)],
        "count": len(images),
        "image_shape": list(images.shape[1:]),
        "images_per_record": per_record,
        "normalization": {"method": "none", "mean": [0.0], "std": [1.0]},
        "seed": 0,
        "shards": shards,
        "views": views,
    }
    manifest.write(folder, values)
    return folder


def sign(folder, **changes):
    """Write the manifest anew for the shards that are there, some of its values changed."""
    values = outputs.read_json(folder / "manifest.json")
    del values["checksum"]
    manifest.write(folder, values | changes)


def write_some(folder, count=40, **layout):
    """`count` images of 3x2x1 whose pixels and labels follow from their positions 100, 101, ..."""
    positions = np.arange(100, 100 + count)
    images = np.broadcast_to(positions[:, None, None, None], (count, 3, 2, 1)).astype(np.uint8)
    return write(folder, images, positions % 7, positions, **layout)


def read(folder, batch_size=7, **choice):
    """All batches of one epoch or several, as arrays."""
    batches = tfrecord.Split(folder).batches(batch_size, **choice)
    return [tuple(part.numpy() for part in batch) for batch in batches]


def positions(folder, **choice):
    return np.concatenate([batch[2] for batch in read(folder, **choice)]).tolist()


@few
@given(
    count=st.integers(1, 30),
    shape=st.tuples(st.integers(1, 4), st.integers(1, 4), st.sampled_from([1, 3])),
    per_record=st.integers(1, 12),
    shards=st.integers(1, 4),
    batch_size=st.integers(1, 12),
)
def test_what_is_written_is_read_back(tmp_path_factory, count, shape, per_record, shards, batch_size):
    generator = np.random.default_rng(count)
    images = generator.integers(0, 256, (count, *shape), np.uint8)
    labels = generator.integers(0, 1000, count)
    places = generator.integers(-(2**62), 2**62, count)
    folder = write(tmp_path_factory.mktemp("split"), images, labels, places, per_record, shards)

    found = read(folder, batch_size)
    for part, (expected, dtype) in enumerate([(images, np.uint8), (labels, np.int32), (places, np.int64)]):
        assert {batch[part].dtype for batch in found} == {np.dtype(dtype)}
        np.testing.assert_array_equal(np.concatenate([batch[part] for batch in found]), expected)
    sizes = [len(batch[1]) for batch in found]
    assert sizes == [batch_size] * (count // batch_size) + [count % batch_size] * (count % batch_size > 0)


def test_a_split_of_no_images_has_no_batches(tmp_path):
    folder = write(tmp_path / "val", np.zeros((0, 2, 2, 3), np.uint8), np.arange(0), np.arange(0), shards=2)
    assert read(folder) == []


def test_an_epoch_does_not_wait_for_autotuning_to_end(tmp_path):
    folder = write_some(tmp_path / "train", views=2)
    for epoch in (0, 2):
        dataset = tfrecord.Split(folder).dataset(7, [epoch])
        assert dataset.options().autotune.enabled is False


def test_equal_arrays_are_equal_bytes_in_any_layout_or_integers():
    images = np.arange(24, dtype=np.uint8).reshape(2, 2, 2, 3)
    record = tfrecord.serialize(images, np.array([1, 0]), np.array([5, 9]))
    fortran = tfrecord.serialize(
        np.asfortranarray(images), np.array([1, 0], ">i2"), np.array([5, 9], np.uint8)
    )
    assert fortran == record
    digest = "c02cd78d365bbf04d3a5575950e2315bcaa77d9074d1c6243ec55bcf98a53306"
    assert hashlib.sha256(record).hexdigest() == digest


@pytest.mark.parametrize("epoch", range(7))
def test_an_epoch_has_each_image_once_with_pixels_and_label(tmp_path, epoch):
    folder = write_some(tmp_path / "train", shards=3, views=2)
    images, labels, places = (
        np.concatenate(part) for part in zip(*read(folder, epochs=[epoch]), strict=True)
    )
    assert sorted(places) == list(range(100, 140))
    np.testing.assert_array_equal(images, np.broadcast_to(places[:, None, None, None], images.shape))
    np.testing.assert_array_equal(labels, places % 7)


def test_the_first_round_reads_views_in_order_front_to_back(tmp_path):
    folder = write_some(tmp_path / "train", shards=3, views=3)
    for view in range(3):
        expected = np.roll(np.arange(100, 140), -view).tolist()
        assert positions(folder, epochs=[view], seed=5) == expected


def test_epochs_follow_each_other_and_share_no_batch(tmp_path):
    folder = write_some(tmp_path / "train", shards=3, views=2)
    together = [batch[2].tolist() for batch in read(folder, epochs=range(5), seed=3)]
    apart = [batch[2].tolist() for epoch in range(5) for batch in read(folder, epochs=[epoch], seed=3)]
    assert together == apart
    assert [len(batch) for batch in together] == [7, 7, 7, 7, 7, 5] * 5


def test_later_rounds_come_in_other_orders_that_the_seed_repeats(tmp_path):
    folder = write_some(tmp_path / "train", shards=3, views=2)
    rounds = [positions(folder, epochs=[epoch], seed=1) for epoch in (0, 2, 4, 6)]
    assert len({tuple(order) for order in rounds}) == 4
    assert positions(folder, epochs=[4], seed=1) == rounds[2]
    assert positions(folder, epochs=[4], seed=2) != rounds[2]


def test_a_later_round_reads_the_same_view_again(tmp_path):
    folder = write_some(tmp_path / "train", views=2, per_record=20)
    firsts = {tuple(places) for places in np.reshape(positions(folder, epochs=[3]), (2, 20))}
    assert firsts == {tuple(places) for places in np.reshape(positions(folder, epochs=[1]), (2, 20))}


def test_a_folder_without_a_manifest_is_bad_input(tmp_path):
    with pytest.raises(
        errors.BadInput, match=f"{tmp_path}/manifest.json: expected a plain file, received nothing"
    ):
        manifest.read(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [{"count": 39}, {"image_shape": [2, 3, 1]}, {"views": 2}, {"classes": ["a"]}, {"seed": 1}],
    ids=str,
)
def test_an_edited_manifest_is_bad_input(tmp_path, changes):
    folder = write_some(tmp_path / "train")
    path = folder / "manifest.json"
    outputs.write_json(path, outputs.read_json(path) | changes)
    with pytest.raises(errors.BadInput, match="is damaged or edited: expected the checksum"):
        manifest.read(folder)


@pytest.mark.parametrize("content", ["", "{}", "[]", "text", '{"checksum": 3}'])
def test_a_damaged_manifest_is_bad_input(tmp_path, content):
    folder = write_some(tmp_path / "train")
    (folder / "manifest.json").write_text(content)
    with pytest.raises(errors.BadInput, match=r"manifest\.json"):
        manifest.read(folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"count": -1},
        {"image_shape": [3, 2]},
        {"image_shape": [0, 2, 1]},
        {"normalization": {"method": "none", "mean": [0.0], "std": [0.0]}},
        {"shards": "1"},
    ],
    ids=str,
)
def test_a_manifest_with_a_value_out_of_range_is_bad_input(tmp_path, changes):
    folder = write_some(tmp_path / "train")
    sign(folder, **changes)
    with pytest.raises(errors.BadInput, match=rf"manifest\.json\.{next(iter(changes))}"):
        manifest.read(folder)


@pytest.mark.parametrize(("shape", "images"), [([32, 32, 3], 500), ([224, 224, 3], 55), ([3000, 3000, 3], 1)])
def test_a_batch_is_bounded_in_images_and_in_bytes(tmp_path, shape, images):
    folder = write(tmp_path / "train", np.zeros((1, *shape), np.uint8), np.arange(1), np.arange(1))
    assert tfrecord.Split(folder).batch_size(500) == images


@pytest.mark.parametrize(
    ("content", "received"),
    [(None, "found no file"), (b"", "found 0"), (b"not records" * 1000, "found 11,000")],
)
def test_a_shard_that_is_missing_or_of_another_size_is_bad_input(tmp_path, content, received):
    folder = write_some(tmp_path / "train", shards=2)
    shard = folder / tfrecord.shard_name(0, 1)
    size = shard.stat().st_size
    shard.unlink()
    if content is not None:
        shard.write_bytes(content)
    with pytest.raises(errors.BadInput, match=f"{shard}: expected {size:,} bytes of records, {received}"):
        manifest.read(folder)


def test_a_truncated_shard_is_bad_input(tmp_path):
    folder = write_some(tmp_path / "train", shards=2)
    shard = folder / tfrecord.shard_name(0, 1)
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(errors.BadInput, match=str(shard)):
        manifest.read(folder)


def damage(folder, content):
    """Put other bytes of the same size in the place of the second shard."""
    shard = folder / tfrecord.shard_name(0, 1)
    assert len(content) == shard.stat().st_size
    shard.write_bytes(content)
    return shard


@settings(few, max_examples=8)
@given(data=st.data())
def test_any_flipped_bit_is_bad_input_that_names_the_file(tmp_path_factory, data):
    folder = write_some(tmp_path_factory.mktemp("split"), shards=2)
    content = bytearray((folder / tfrecord.shard_name(0, 1)).read_bytes())
    bit = data.draw(st.integers(0, 8 * len(content) - 1))
    content[bit // 8] ^= 1 << (bit % 8)
    shard = damage(folder, bytes(content))
    with pytest.raises(errors.BadInput, match=str(shard)):
        read(folder)


def test_a_shard_instead_of_another_is_bad_input(tmp_path):
    folder = write_some(tmp_path / "train", shards=2)
    first, second = (folder / tfrecord.shard_name(0, shard) for shard in range(2))
    assert first.stat().st_size == second.stat().st_size
    second.write_bytes(first.read_bytes())
    with pytest.raises(errors.BadInput, match=f"{second}: expected the records that were written"):
        manifest.read(folder)


def test_a_foreign_file_of_the_right_size_is_named_as_bad_input(tmp_path):
    folder = write_some(tmp_path / "train", shards=2)
    shard = damage(folder, b"x" * (folder / tfrecord.shard_name(0, 1)).stat().st_size)
    with pytest.raises(errors.BadInput) as raised:
        read(folder)
    assert str(shard) in str(raised.value)
    assert tfrecord.shard_name(0, 0) not in str(raised.value)
    assert "function_node" not in str(raised.value)


@pytest.mark.parametrize(
    "record",
    [
        b"not an example",
        tf.train.Example().SerializeToString(),
        tfrecord.serialize(np.zeros((2, 3, 2, 1), np.uint8), np.arange(3), np.arange(2)),
        tfrecord.serialize(np.zeros((2, 5, 1, 1), np.uint8), np.arange(2), np.arange(2)),
        tfrecord.serialize(np.zeros((2, 3, 2, 1), np.uint8), np.array([0, 7]), np.arange(2)),
        tfrecord.serialize(np.zeros((2, 3, 2, 1), np.uint8), np.array([0, -1]), np.arange(2)),
    ],
    ids=[
        "no example",
        "no columns",
        "more labels than images",
        "images of another shape",
        "a label beyond the classes",
        "a negative label",
    ],
)
def test_a_record_in_another_format_is_bad_input(tmp_path, record):
    folder = write_some(tmp_path / "train")
    shard = folder / tfrecord.shard_name(0, 0)
    tfrecord.write_shard(shard, [record])
    sign(folder)
    with pytest.raises(errors.BadInput, match=f"expected records as this pipeline writes them.*{shard}"):
        read(folder)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is always full")
def test_a_full_disk_is_an_os_error():
    with pytest.raises(OSError, match="/dev/full") as raised:
        tfrecord.write_shard(Path("/dev/full"), [bytes(10_000_000)])
    assert raised.value.errno == errno.ENOSPC


NOT_HERE = {"checksum", "encoded", "form"}  # fields that are not in the manifest of these records


@pytest.mark.parametrize("field", sorted(set(manifest.Manifest.model_fields) - NOT_HERE))
def test_every_field_of_a_manifest_is_under_its_checksum(tmp_path, field):
    folder = write_some(tmp_path / "train")
    path = folder / "manifest.json"
    values = outputs.read_json(path)
    del values[field]
    outputs.write_json(path, values)
    with pytest.raises(errors.BadInput, match="is damaged or edited: expected the checksum"):
        manifest.read(folder)
