"""The records stage: augmented epochs of the training split, plain validation and test splits."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from stages import records
from stages.building import decoded
from stages.inputs import arrays as subset_format
from stages.inputs import augment, draws, manifest, tfrecord
from stages.running import ahead, errors, outputs, paramfile
from tests import tiny


@pytest.fixture(scope="module")
def arrays(tmp_path_factory):
    return tiny.subset(tmp_path_factory.mktemp("arrays"))


@pytest.fixture(scope="module")
def built(tmp_path_factory, arrays):
    return tiny.build_records(tmp_path_factory.mktemp("built"), arrays)


def read(split, epoch=0):
    """Images, labels and positions of one epoch of a split's folder."""
    batches = tfrecord.Split(split).batches(6, [epoch])
    return tuple(np.concatenate(part) for part in zip(*batches, strict=True))


def load(arrays, split):
    return tuple(np.load(arrays / split / f"{name}.npy") for name in ("images", "labels", "positions"))


def test_the_same_params_give_the_same_bytes(tmp_path, arrays, built):
    again = tiny.build_records(tmp_path, arrays)
    assert tiny.digests(again.parent) == tiny.digests(built.parent)


def test_another_seed_changes_only_the_training_records(tmp_path, arrays, built):
    other = tiny.build_records(tmp_path, arrays, seed=1)
    before, after = tiny.digests(built), tiny.digests(other)
    changed = {name for name in before if name.endswith(".tfrecord") and before[name] != after[name]}
    assert changed == {name for name in before if name.startswith("train/view")}


SCRIPT = """
import sys
from pathlib import Path
from stages.inputs import tfrecord
from tests import tiny
write = tfrecord.write_shard
def interrupted(path, records):
    if "view-001" in path.name:
        next(records)
        raise KeyboardInterrupt
    write(path, records)
tfrecord.write_shard = interrupted
tiny.build_records(Path(sys.argv[1]), Path(sys.argv[2]), images_per_record=1, views=50)
"""


def test_an_interrupted_stage_ends_and_leaves_nothing(tmp_path, arrays):
    command = [sys.executable, "-c", SCRIPT, tmp_path / "out", arrays]
    ended = subprocess.run(
        command, cwd=Path(__file__).parents[1], capture_output=True, text=True, timeout=120
    )
    assert ended.stderr.endswith("KeyboardInterrupt\n")
    assert not (tmp_path / "out").exists() or list((tmp_path / "out").iterdir()) == []


def test_images_are_read_alike_by_many_threads(tmp_path):
    images = subset_format.Split(tiny.subset(tmp_path, train=300, shape=(32, 32, 3)) / "train").images
    places = np.arange(len(images))
    expected = images[places]
    for found in ahead.mapped(lambda _: images[places], range(100)):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("split", ["val", "test"])
def test_val_and_test_images_are_neither_augmented_nor_shuffled(arrays, built, split):
    for found, expected in zip(read(built / split), load(arrays, split), strict=True):
        np.testing.assert_array_equal(found, expected)
    made = manifest.read(built / split)
    assert (made.views, made.augment) == (1, [])


def test_a_view_is_the_plain_images_augmented_with_its_own_draws(arrays, built):
    images, labels, positions = load(arrays, "train")
    operations = augment.parse(tiny.RECORDS["augment"])
    for view in range(2):
        numbers = draws.uniform(0, view, np.arange(len(images)), 3)
        expected = augment.apply(operations, tf.constant(images), tf.constant(numbers)).numpy()
        order = draws.permutation(0, view, len(images))
        found = read(built / "train", view)
        for part, of_view in zip(found, (expected, labels, positions), strict=True):
            np.testing.assert_array_equal(part, of_view[order])
        assert (found[0] != images[order]).any()


def test_each_view_holds_every_image_once_in_its_own_order(arrays, built):
    orders = [read(built / "train", view)[2].tolist() for view in range(2)]
    assert orders[0] != orders[1]
    assert sorted(orders[0]) == sorted(orders[1]) == sorted(load(arrays, "train")[2])


@pytest.mark.parametrize("layout", [{"images_per_record": 1, "shards": 3}, {"images_per_record": 99}])
def test_the_layout_of_the_files_does_not_change_the_images(tmp_path, arrays, built, layout):
    other = tiny.build_records(tmp_path, arrays, **layout)
    for view in range(2):
        for found, expected in zip(read(other / "train", view), read(built / "train", view), strict=True):
            np.testing.assert_array_equal(found, expected)


def test_normalization_is_fitted_only_on_plain_training_images(arrays, built):
    images = load(arrays, "train")[0]
    for split in ("train", "val", "test"):
        constants = manifest.read(built / split).normalization.model_dump()
        assert constants["method"] == "standardize"
        assert constants["mean"] == [pytest.approx(images.mean(), abs=1e-4)]
        assert constants["std"] == [pytest.approx(images.std(), abs=1e-4)]


@pytest.mark.parametrize(("method", "divisor"), [("unit", 255.0), ("none", 1.0)])
def test_other_normalizations_have_fixed_constants(tmp_path, method, divisor):
    arrays = tiny.subset(tmp_path / "arrays", train=4, val=2, test=2, shape=(2, 2, 3))
    built = tiny.build_records(tmp_path, arrays, normalize=method, augment=[])
    constants = manifest.read(built / "train").normalization.model_dump()
    assert constants == {"method": method, "mean": [0.0] * 3, "std": [divisor] * 3}


def test_the_manifest_adds_how_records_were_made_to_the_subsets(arrays, built):
    values = manifest.read(built / "train").model_dump()
    assert outputs.read_json(arrays / "train" / "manifest.json").items() <= values.items()
    made = {key: values[key] for key in ("augment", "views", "images_per_record", "shards", "seed")}
    assert made.items() <= tiny.RECORDS.items()
    assert set(values["shard_bytes"]) == {path.name for path in (built / "train").glob("*.tfrecord")}


def test_a_validation_split_of_no_images_works(tmp_path):
    arrays = tiny.subset(tmp_path / "arrays", val=0)
    built = tiny.build_records(tmp_path, arrays)
    val = tfrecord.Split(built / "val")
    assert val.manifest.count == 0
    assert list(val.batches(4)) == []


def test_without_augmentation_the_views_differ_only_in_order(tmp_path, arrays):
    built = tiny.build_records(tmp_path, arrays, augment=[])
    images, _, positions = load(arrays, "train")
    for view in range(2):
        found, _, places = read(built / "train", view)
        np.testing.assert_array_equal(found, images[[positions.tolist().index(place) for place in places]])


@pytest.mark.parametrize("shape", [(8, 8, 1), (6, 9, 3)])
def test_the_figure_is_written_for_grey_and_colour_images(tmp_path, shape):
    arrays = tiny.subset(tmp_path / "arrays", train=3, val=2, test=2, shape=shape)
    tiny.build_records(tmp_path, arrays)
    assert (tmp_path / "training_images.png").read_bytes().startswith(b"\x89PNG")


def test_records_of_an_earlier_run_do_not_stay(tmp_path, arrays):
    tiny.build_records(tmp_path, arrays, views=3)
    built = tiny.build_records(tmp_path, arrays, views=1, shards=1)
    assert [path.name for path in (built / "train").glob("*.tfrecord")] == ["view-000-shard-00.tfrecord"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"augment": [{"translat": {"pixels": 2}}]}, "Did you mean 'translate'?"),
        ({"augment": [{"translate": {"pixels": -2}}]}, "greater than or equal to 0, received -2"),
        ({"augment": ["flip_horizontal"]}, "expected a valid dictionary, received 'flip_horizontal'"),
        ({"normalize": "standardise"}, "expected 'standardize', 'unit' or 'none', received 'standardise'"),
        ({"views": 0}, "greater than or equal to 1, received 0"),
        ({"shards": 100}, "less than or equal to 99, received 100"),
        ({"seed": 1.5}, "expected a valid integer, received 1.5"),
        ({"seed": 2**64}, "expected less than"),
    ],
)
def test_a_wrong_parameter_is_named(change, message):
    with pytest.raises(errors.BadInput) as raised:
        paramfile.check(records.Params, tiny.RECORDS | change, "params.yaml: records")
    assert f"params.yaml: records.{next(iter(change))}" in str(raised.value)
    assert message in str(raised.value)


def written_as(array):
    """A function that writes an array over a file."""
    return lambda path: np.save(path, array)


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize(
    ("name", "damage", "expected"),
    [
        ("images", cut, r"uint8 of the shape \(24, 8, 8, 1\) in 1,664 bytes, received 1,663"),
        ("images", written_as(np.zeros((24, 8, 8, 1), np.float32)), "uint8 of"),
        ("images", written_as(np.zeros((23, 8, 8, 1), np.uint8)), r"uint8 of the shape \(24, 8, 8, 1\)"),
        ("images", written_as(np.zeros((24, 16, 4, 1), np.uint8)), r"uint8 of the shape \(24, 8, 8, 1\)"),
        (
            "images",
            written_as(np.asfortranarray(np.zeros((24, 8, 8, 1), np.uint8))),
            r"uint8 of the shape .* in Fortran's order",
        ),
        ("images", lambda path: path.write_text("text"), "uint8 of the shape"),
        ("labels", written_as(np.zeros(23, int)), r"int64 of the shape \(24,\)"),
        ("labels", written_as(np.zeros((24, 1), int)), r"int64 of the shape \(24,\)"),
        ("labels", written_as(np.zeros(24)), r"int64 of the shape \(24,\)"),
        ("labels", written_as(np.full(24, 2)), "values of 0 to 1"),
        ("labels", written_as(np.full(24, -1)), "values of 0 to 1"),
        ("labels", lambda path: path.write_bytes(b""), r"int64 of the shape \(24,\)"),
        ("labels", lambda path: path.unlink(), r"int64 of the shape \(24,\)"),
        ("positions", written_as(np.arange(25)), r"int64 of the shape \(24,\)"),
        ("positions", written_as(np.zeros(24, int)), "each position once"),
        ("positions", written_as(np.arange(24) - 1), "values of 0 or more"),
        (
            "positions",
            lambda path: np.save(path, np.array([{}] * 24), allow_pickle=True),
            r"int64 of the shape \(24,\)",
        ),
    ],
)
@pytest.mark.parametrize("normalize", ["standardize", "unit"])
def test_an_array_that_is_not_as_written_is_named(tmp_path, name, damage, expected, normalize):
    arrays = tiny.subset(tmp_path / "arrays")
    damage(arrays / f"train/{name}.npy")
    with pytest.raises(errors.BadInput, match=rf"train/{name}\.npy: expected {expected}.*; rerun the subset"):
        tiny.build_records(tmp_path, arrays, normalize=normalize)
    assert not (tmp_path / "records").exists()


def test_records_are_bounded_in_bytes(tmp_path, arrays, built, monkeypatch):
    monkeypatch.setattr(tfrecord, "RECORD_BYTES", 3 * 64)  # three images
    found = tiny.build_records(tmp_path, arrays, images_per_record=20)
    assert manifest.read(found / "train").images_per_record == 3
    (shard, *_) = sorted((found / "test").glob("*.tfrecord"))
    sizes = [len(record.numpy()) for record in tf.data.TFRecordDataset(str(shard))]
    assert max(sizes) < 3 * (64 + 12) + 100
    assert images_of(found, "train") == images_of(built, "train")


def images_of(records, split):
    """The pixels of a split's first view, whatever their order."""
    batches = tfrecord.Split(records / split).batches(7)
    return sorted(image.tobytes() for pixels, _, _ in batches for image in pixels.numpy())


def test_the_figure_of_large_images_holds_few_pixels(tmp_path, monkeypatch):
    drawn, draw = [], records.training_images.figure

    def drawing(rows, *rest):
        drawn.append(rows)
        return draw(rows, *rest)

    monkeypatch.setattr(records.training_images, "figure", drawing)
    tiny.build_records(tmp_path, tiny.subset(tmp_path / "arrays", shape=(400, 330, 3)), views=1)
    assert {images.shape[1:] for images in drawn[0].values()} == {(134, 110, 3)}


def test_a_disk_without_room_is_noticed_before_the_first_byte(tmp_path, arrays, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    needed = (24 * tiny.RECORDS["views"] + 8 + 10) * (64 + 12)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=needed - 1))
    with pytest.raises(errors.BadInput, match=r"records needs 0\.00 GiB, but the disk has .*records\.views"):
        tiny.build_records(tmp_path, arrays)
    assert not list(tmp_path.glob("records*"))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=needed))
    tiny.build_records(tmp_path, arrays)


def test_images_read_at_any_places_are_those_of_the_array(arrays):
    expected = np.load(arrays / "train/images.npy")
    images = subset_format.Images(arrays / "train/images.npy", expected.shape)
    places = np.array([5, 0, 23, 5])
    assert len(images) == len(expected)
    np.testing.assert_array_equal(images[places], expected[places])


def test_normalization_is_fitted_on_few_images_at_a_time(tmp_path, arrays, monkeypatch):
    fit, sizes = records.normalize.METHODS["standardize"], []

    def fitting(chunks, channels):
        def seen():
            for chunk in chunks:
                sizes.append(len(chunk))
                yield chunk

        return fit(seen(), channels)

    monkeypatch.setitem(records.normalize.METHODS, "standardize", fitting)
    monkeypatch.setattr(tfrecord, "RECORD_BYTES", 3 * 64)  # three images
    tiny.build_records(tmp_path, arrays)
    assert sizes == [3] * 8


def test_an_image_larger_than_a_record_has_one_of_its_own(tmp_path, arrays, monkeypatch):
    monkeypatch.setattr(tfrecord, "RECORD_BYTES", 63)
    found = tiny.build_records(tmp_path, arrays)
    assert manifest.read(found / "train").images_per_record == 1


def test_an_image_that_no_record_can_hold_is_refused(tmp_path, arrays, monkeypatch):
    monkeypatch.setattr(decoded, "LARGEST_IMAGE", 63)
    with pytest.raises(
        errors.BadInput, match=r"at most 63 bytes, received 64 .* set a smaller subset\.image_size"
    ):
        tiny.build_records(tmp_path, arrays)
