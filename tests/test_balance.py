"""Repeats of small classes in the views: how many, which, and that every epoch is checked for them."""

import numpy as np
import pytest

from stages import records
from stages.inputs import arrays, balance, manifest, tfrecord
from stages.running import errors, outputs, paramfile
from tests import tiny

COUNTS = {"common": 50, "rarer": 20, "rare": 1}


@pytest.fixture(scope="module")
def unequal(tmp_path_factory):
    """What the subset stage would write of three classes, 50, 20 and one image of training."""
    folder = tmp_path_factory.mktemp("arrays")
    generator = np.random.default_rng(0)
    for split, share in (("train", 1), ("val", 10), ("test", 10)):
        labels = np.repeat(np.arange(3), [max(1, count // share) for count in COUNTS.values()])
        generator.shuffle(labels)
        made = arrays.Manifest(classes=list(COUNTS), count=len(labels), image_shape=[4, 4, 1])
        images = generator.integers(0, 256, (len(labels), 4, 4, 1)).astype(np.uint8)
        arrays.write(folder / split, made, images, labels, generator.permutation(1000)[: len(labels)])
    return folder


def build(folder, unequal, **changes):
    return tiny.build_records(folder, unequal, **{"views": 4, "images_per_record": 16, **changes})


def read(folder, view):
    parts = zip(*tfrecord.Split(folder).batches(9, [view]), strict=True)
    return tuple(np.concatenate(part) for part in parts)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [("none", [50, 20, 1]), ("equal", [50, 50, 50]), (2, [50, 40, 2]), (30, [50, 50, 30])],
)
def test_a_view_has_as_many_of_a_class_as_are_asked_for(tmp_path, unequal, wanted, expected):
    folder = build(tmp_path, unequal, balance=wanted) / "train"
    made = manifest.read(folder)
    assert (made.class_images, made.class_images_in_view) == ([50, 20, 1], expected)
    assert (made.count, made.different) == (sum(expected), 71)
    for view in range(4):
        labels = read(folder, view)[1]
        np.testing.assert_array_equal(np.bincount(labels), expected)


def test_all_of_a_class_come_equally_often_or_once_more_and_take_turns(tmp_path, unequal):
    folder, over_views = build(tmp_path, unequal, balance="equal") / "train", np.zeros(1000, int)
    extras = []
    for view in range(4):
        _, labels, positions = read(folder, view)
        times = np.bincount(positions, minlength=1000)
        assert set(times[positions[labels == 1]]) == {2, 3}  # 50 of 20 images
        over_views += times
        extras.append(np.flatnonzero(times == 3).tolist())
    assert len({tuple(each) for each in extras}) == 2  # ten of twenty, then the other ten
    assert set(over_views[positions[labels == 1]]) == {10}


def test_each_copy_is_augmented_apart(tmp_path, unequal):
    images, labels, _ = read(build(tmp_path, unequal, balance="equal") / "train", 0)
    assert len({image.tobytes() for image in images[labels == 2]}) > 10  # of 18 ways to flip and shift it


def test_first_copies_are_the_images_of_views_without_repeats(tmp_path, unequal):
    plain, repeated = (
        {(position, image.tobytes()) for image, _, position in zip(*found, strict=True)}
        for found in (
            read(build(tmp_path / name, unequal, balance=name) / "train", 1) for name in ("none", "equal")
        )
    )
    assert plain < repeated


def test_validation_and_test_images_and_the_normalization_are_as_without_repeats(tmp_path, unequal):
    plain, repeated = (build(tmp_path / name, unequal, balance=name) for name in ("none", "equal"))
    for split in ("val", "test"):
        assert tiny.digests(repeated / split) == tiny.digests(plain / split)
    assert manifest.read(repeated / "train").normalization == manifest.read(plain / "train").normalization


def test_an_image_too_often_or_too_seldom_is_refused(tmp_path, unequal):
    folder = build(tmp_path, unequal, balance="equal", views=1, shards=1) / "train"
    batches = [[part.numpy() for part in batch] for batch in tfrecord.Split(folder).batches(16)]
    labels, positions = (np.concatenate([batch[part] for batch in batches]) for part in (1, 2))
    once, other = np.unique(positions[labels == 0])[:2]
    for batch in batches:
        batch[2][batch[2] == once] = other  # one image of the large class twice, in place of another
    path = folder / tfrecord.shard_name(0, 0)
    tfrecord.write_shard(path, [tfrecord.serialize(*batch) for batch in batches])
    values = outputs.read_json(folder / "manifest.json")
    del values["checksum"]
    manifest.write(folder, values)
    with pytest.raises(errors.BadInput, match="expected 150 images, 71 of them different, received 150, 70"):
        list(tfrecord.Split(folder).batches(20))


def test_a_manifest_whose_counts_do_not_add_up_is_refused(tmp_path, unequal):
    folder = build(tmp_path, unequal) / "train"
    values = outputs.read_json(folder / "manifest.json")
    del values["checksum"]
    manifest.write(folder, values | {"class_images_in_view": [50, 20, 2]})
    with pytest.raises(errors.BadInput, match="3 classes as count = 71 says, received"):
        manifest.read(folder)


@pytest.mark.parametrize("value", ["balanced", 1, 0, -3, 2.5, True, None, 10**9])
def test_other_values_are_one_line(value):
    with pytest.raises(errors.BadInput, match=r"records\.balance: expected none, equal, or a whole number"):
        paramfile.check(records.Params, tiny.RECORDS | {"balance": value}, "records")


def test_an_empty_split_has_no_repeats():
    assert balance.class_images_in_view("equal", np.zeros(2, int)).tolist() == [0, 0]
    places, copies = balance.repeated(np.zeros(0, int), np.zeros(2, int), 0, 0)
    assert len(places) == len(copies) == 0
