"""Which images each split gets, in which order, under which label."""

import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stages import subset
from stages.datasets import cifar10, tfds
from stages.figures import canvas
from stages.running import cores, errors, paramfile
from stages.sources import checksums
from stages.splits import repeats, sized
from tests.subsets import DEFAULTS, SPLITS, read

laws = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(autouse=True)
def no_page(monkeypatch):
    """The page of pictures has tests of its own; to draw it takes longer than all else."""
    monkeypatch.setattr(canvas, "save", lambda figure, path: path.touch())


def sign(raw: Path) -> None:
    """Write the checksums of the files that are in data/raw now to its manifest."""
    manifest = json.loads((raw / "manifest.json").read_text())
    for name, checksum in manifest["files"].items():
        manifest["files"][name] = checksums.of_file(raw / name, checksums.algorithm(checksum))
    (raw / "manifest.json").write_text(json.dumps(manifest))


def run(raw: Path, folder: Path, **changes) -> SimpleNamespace:
    """The arrays and manifest of every split, and the report."""
    sign(raw)
    params = paramfile.check(subset.Params, {**DEFAULTS, **changes}, "subset")
    subset.subset(params, raw, folder, folder.with_suffix(".json"), folder.with_suffix(".png"))
    return SimpleNamespace(report=json.loads(folder.with_suffix(".json").read_text()), **read(folder))


def refusal(raw: Path, folder: Path, **changes) -> str:
    with pytest.raises(errors.BadInput) as caught:
        run(raw, folder, **changes)
    assert not folder.exists()
    return str(caught.value)


def relabel(raw: Path, name: str, labels: np.ndarray) -> None:
    rows = np.fromfile(raw / name, np.uint8).reshape(-1, cifar10.ROW)
    rows[:, 0] = labels
    rows.tofile(raw / name)


def copy_image(raw: Path, source: tuple[str, int], target: tuple[str, int]) -> None:
    """Overwrite an image with another; each keeps its label."""
    rows = np.fromfile(raw / source[0], np.uint8).reshape(-1, cifar10.ROW)
    image = rows[source[1], 1:].copy()
    rows = np.fromfile(raw / target[0], np.uint8).reshape(-1, cifar10.ROW)
    rows[target[1], 1:] = image
    rows.tofile(raw / target[0])


def test_a_split_holds_the_images_and_labels_of_its_positions(raw_cifar10, tmp_path):
    splits = run(raw_cifar10, tmp_path / "arrays")
    _, published = cifar10.read(raw_cifar10)
    for split, source in (("train", "train"), ("val", "train"), ("test", "test")):
        part, (images, labels) = getattr(splits, split), published[source]
        assert np.array_equal(part.images, images[part.positions])
        assert np.array_equal(part.labels, labels[part.positions])
        assert (part.images.dtype, part.labels.dtype) == (np.uint8, np.int64)


def test_a_manifest_and_the_report_say_what_each_split_holds(raw_cifar10, tmp_path):
    splits = run(raw_cifar10, tmp_path / "arrays", classes=["cat", "airplane"])
    for split, count in (("train", 16), ("val", 4), ("test", 4)):
        assert getattr(splits, split).manifest == {
            "classes": ["cat", "airplane"],
            "image_shape": [32, 32, 3],
            "count": count,
        }
        assert splits.report["images"][split] == {"cat": count / 2, "airplane": count / 2}
    assert splits.report["classes"] == ["cat", "airplane"]
    assert splits.report["dataset"] == "cifar10"
    assert splits.report["params"] == {**DEFAULTS, "classes": ["cat", "airplane"]}


def test_labels_follow_the_order_of_the_chosen_classes(raw_cifar10, tmp_path):
    chosen = ["truck", "airplane", "cat"]
    splits = run(raw_cifar10, tmp_path / "arrays", classes=chosen)
    labels = cifar10.read(raw_cifar10)[1]["test"][1][splits.test.positions]
    assert [chosen[label] for label in splits.test.labels] == [cifar10.CLASSES[label] for label in labels]


def test_the_test_split_keeps_published_order_whatever_the_seed(raw_cifar10, tmp_path):
    for seed in (0, 1):
        positions = run(raw_cifar10, tmp_path / "arrays", seed=seed).test.positions
        assert positions.tolist() == list(range(20))


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_seed_picks_the_images_of_a_split_and_shuffles_them(raw_cifar10, tmp_path, split):
    one, two = (getattr(run(raw_cifar10, tmp_path / "arrays", seed=seed), split) for seed in (0, 1))
    assert set(one.positions) != set(two.positions)
    assert sorted(one.positions) != one.positions.tolist()


def test_classes_are_mixed_in_the_training_order(raw_cifar10, tmp_path):
    labels = run(raw_cifar10, tmp_path / "arrays").train.labels
    assert (np.diff(labels) != 0).sum() > len(labels) / 2


def test_the_same_params_write_the_same_bytes(raw_cifar10, tmp_path):
    written = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        run(raw_cifar10, folder)
        files = [*folder.rglob("*.*"), folder.with_suffix(".json")]
        written.append({file.relative_to(folder.parent).parts[1:]: file.read_bytes() for file in files})
    assert len(written[0]) == 13
    assert written[0] == written[1]


def test_bytes_do_not_depend_on_how_many_images_are_read_at_once(raw_cifar10, tmp_path, monkeypatch):
    run(raw_cifar10, tmp_path / "whole")
    monkeypatch.setattr(sized, "CHUNK", 7)
    run(raw_cifar10, tmp_path / "chunked")
    for split in SPLITS:
        one, two = (tmp_path / folder / split / "images.npy" for folder in ("whole", "chunked"))
        assert one.read_bytes() == two.read_bytes()


def test_what_stood_in_the_folder_before_is_replaced(raw_cifar10, tmp_path):
    (tmp_path / "arrays" / "train").mkdir(parents=True)
    (tmp_path / "arrays" / "train" / "stale").touch()
    run(raw_cifar10, tmp_path / "arrays")
    assert sorted(os.listdir(tmp_path / "arrays")) == sorted(SPLITS)
    assert "stale" not in os.listdir(tmp_path / "arrays" / "train")


def test_a_class_is_limited_before_validation_is_carved(raw_cifar10, tmp_path):
    splits = run(raw_cifar10, tmp_path / "arrays", limit_per_class=5)
    assert splits.report["images"]["train"] == dict.fromkeys(cifar10.CLASSES, 4)
    assert splits.report["images"]["val"] == dict.fromkeys(cifar10.CLASSES, 1)


def test_the_test_split_is_limited_to_the_first_of_each_class(raw_cifar10, tmp_path):
    splits = run(raw_cifar10, tmp_path / "arrays", limit_per_class=1, val_fraction=0)
    labels = cifar10.read(raw_cifar10)[1]["test"][1]
    first = [labels.tolist().index(label) for label in range(10)]
    assert splits.test.positions.tolist() == sorted(first)


def test_val_fraction_0_gives_an_empty_split_of_the_same_shape(raw_cifar10, tmp_path):
    splits = run(raw_cifar10, tmp_path / "arrays", val_fraction=0)
    assert splits.val.images.shape == (0, 32, 32, 3)
    assert splits.val.labels.shape == splits.val.positions.shape == (0,)
    assert splits.val.manifest["count"] == 0
    assert splits.train.manifest["count"] == 100


def test_a_test_fraction_carves_the_test_split_from_training(raw_cifar10, tmp_path):
    relabel(raw_cifar10, "test_batch.bin", np.zeros(20))
    splits = run(raw_cifar10, tmp_path / "arrays", test_fraction=0.5)
    assert splits.report["images"]["test"] == dict.fromkeys(cifar10.CLASSES, 5)
    assert splits.report["images"]["val"] == dict.fromkeys(cifar10.CLASSES, 1)
    images, labels = cifar10.read(raw_cifar10)[1]["train"]
    assert np.array_equal(splits.test.images, images[splits.test.positions])
    assert np.array_equal(splits.test.labels, labels[splits.test.positions])
    assert splits.test.positions.tolist() == sorted(splits.test.positions)


@pytest.mark.parametrize(("holder", "position"), [("test", 3), ("val", None)])
def test_a_train_image_also_in_val_or_test_is_dropped_from_train(raw_cifar10, tmp_path, holder, position):
    before = run(raw_cifar10, tmp_path / "before")
    twin = int(before.train.positions[7])
    if holder == "test":
        source = ("test_batch.bin", position)
    else:
        held = int(before.val.positions[0])
        source = (f"data_batch_{held // 20 + 1}.bin", held % 20)
    copy_image(raw_cifar10, source, (f"data_batch_{twin // 20 + 1}.bin", twin % 20))
    after = run(raw_cifar10, tmp_path / "after")
    assert after.train.positions.tolist() == [p for p in before.train.positions if p != twin]
    assert after.train.manifest["count"] == len(after.train.images) == 79
    assert sum(after.report["images"]["train"].values()) == 79
    assert after.report["repeated"]["train"] == {
        "within": 0,
        "dropped_for_test": [twin] if holder == "test" else [],
        "dropped_for_val": [twin] if holder == "val" else [],
    }
    for split in ("val", "test"):
        assert np.array_equal(getattr(after, split).positions, getattr(before, split).positions)


def test_an_image_of_the_test_split_is_dropped_from_validation(raw_cifar10, tmp_path):
    before = run(raw_cifar10, tmp_path / "before")
    twin = int(before.val.positions[2])
    copy_image(raw_cifar10, ("test_batch.bin", 0), (f"data_batch_{twin // 20 + 1}.bin", twin % 20))
    after = run(raw_cifar10, tmp_path / "after")
    assert after.val.positions.tolist() == [p for p in before.val.positions if p != twin]
    assert after.report["repeated"]["val"] == {"within": 0, "dropped_for_test": [twin]}


def test_repeats_within_one_split_stay_and_are_counted(raw_cifar10, tmp_path):
    for position in (1, 2):
        copy_image(raw_cifar10, ("test_batch.bin", 0), ("test_batch.bin", position))
    splits = run(raw_cifar10, tmp_path / "arrays")
    assert splits.test.manifest["count"] == 20
    assert splits.report["repeated"]["test"] == {"within": 2}


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_a_class_without_images_in_a_split_is_refused(raw_cifar10, tmp_path, split):
    changes: dict = {"classes": ["bird", "cat"]}
    if split == "test":
        relabel(raw_cifar10, "test_batch.bin", np.full(20, cifar10.CLASSES.index("bird")))
    elif split == "train":
        for i in range(1, 6):
            relabel(raw_cifar10, f"data_batch_{i}.bin", np.full(20, cifar10.CLASSES.index("bird")))
        changes["val_fraction"] = 0
    else:
        changes["limit_per_class"] = 1
    said = refusal(raw_cifar10, tmp_path / "arrays", **changes)
    name, reason = ("bird", ": it has only one image") if split == "val" else ("cat", "")
    assert said == f"expected images of class '{name}' in the {split} split, found none{reason}"


@pytest.mark.parametrize(
    ("changes", "images"), [({"val_fraction": 0.04}, 10), ({"test_fraction": 0.03, "val_fraction": 0}, 10)]
)
def test_a_fraction_that_takes_no_image_says_which_takes_one(raw_cifar10, tmp_path, changes, images):
    fraction = next(iter(changes))
    said = refusal(raw_cifar10, tmp_path / "arrays", **changes)
    assert said.endswith(
        f": subset.{fraction} = {changes[fraction]} of its {images} images is none, 0.1 is one"
    )
    run(raw_cifar10, tmp_path / "arrays", **{**changes, fraction: 0.1})


def test_a_picture_in_two_classes_is_reported_with_both_places(raw_cifar10, tmp_path):
    labels = np.fromfile(raw_cifar10 / "test_batch.bin", np.uint8)[:: cifar10.ROW]
    other = int(np.flatnonzero(labels != labels[0])[0])
    copy_image(raw_cifar10, ("test_batch.bin", 0), ("test_batch.bin", other))
    splits = run(raw_cifar10, tmp_path / "arrays")
    names = [cifar10.CLASSES[labels[position]] for position in (0, other)]
    places = [
        {"class": name, "position": position, "split": "test"}
        for name, position in zip(names, (0, other), strict=True)
    ]
    assert splits.report["contradictions"] == {"pictures": 1, "places": [places]}
    assert splits.test.manifest["count"] == 20  # both are kept


def test_only_so_many_contradictions_are_listed(raw_cifar10, tmp_path, monkeypatch):
    monkeypatch.setattr(repeats, "LISTED", 2)
    for name in ("data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin"):
        copy_image(raw_cifar10, (name, 0), (name, 1))
        relabel(raw_cifar10, name, np.arange(20) % 10)
    found = run(raw_cifar10, tmp_path / "arrays").report["contradictions"]
    assert (found["pictures"], len(found["places"])) == (3, 2)


def test_raw_files_that_are_not_those_downloaded_are_refused(raw_cifar10, tmp_path):
    relabel(raw_cifar10, "test_batch.bin", np.arange(20) % 10)
    params = paramfile.check(subset.Params, DEFAULTS, "subset")
    with pytest.raises(errors.BadInput, match=r"test_batch\.bin is not the file that was downloaded"):
        subset.subset(params, raw_cifar10, *(tmp_path / name for name in ("arrays", "a.json", "a.png")))
    assert not (tmp_path / "arrays").exists()


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"dataset": 3, "files": {}}', '{"dataset": "cifar10"}'])
def test_a_damaged_manifest_is_refused(raw_cifar10, tmp_path, content):
    (raw_cifar10 / "manifest.json").write_text(content)
    params = paramfile.check(subset.Params, DEFAULTS, "subset")
    with pytest.raises(errors.BadInput, match=r"manifest\.json"):
        subset.subset(params, raw_cifar10, *(tmp_path / name for name in ("arrays", "a.json", "a.png")))


def test_an_unknown_class_is_refused_with_the_near_one(raw_cifar10, tmp_path):
    said = refusal(raw_cifar10, tmp_path / "arrays", classes=["bird", "airplan"])
    assert said.startswith("unknown class 'airplan'; expected one of: airplane, automobile, bird")
    assert said.endswith("Did you mean 'airplane'?")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"classes": ["cat"]}, "at least two different class names, or all, received ['cat']"),
        ({"classes": ["cat", "cat"]}, "at least two different class names"),
        ({"classes": "cat"}, "at least two different class names, or all, received 'cat'"),
        ({"classes": [0, 1, 7]}, "received 0, which YAML takes for a int; write ['0', '1', '7']"),
        ({"classes": ["cat", True]}, "received True, which YAML takes for a bool"),
        ({"image_size": [8]}, "expected [height, width] in pixels or null, received [8]"),
        ({"image_size": [0, 8]}, "expected [height, width] in pixels or null, received [0, 8]"),
        ({"image_size": [20_000, 20_000]}, "expected at most 16,777,216 pixels, received [20000, 20000]"),
        ({"limit_per_class": 0}, "subset.limit_per_class: expected greater than or equal to 1, received 0"),
        ({"val_fraction": 1}, "subset.val_fraction: expected less than 1, received 1"),
        ({"val_fraction": -0.1}, "subset.val_fraction: expected greater than or equal to 0, received -0.1"),
        ({"test_fraction": 0}, "subset.test_fraction: expected greater than 0, received 0"),
        ({"seed": -1}, "subset.seed: expected greater than or equal to 0, received -1"),
    ],
)
def test_params_out_of_range_are_refused(changes, said, raw_cifar10, tmp_path):
    assert said in refusal(raw_cifar10, tmp_path / "arrays", **changes)


def test_labels_beyond_the_classes_are_refused(raw_cifar10, tmp_path):
    relabel(raw_cifar10, "test_batch.bin", np.full(20, 10))
    said = refusal(raw_cifar10, tmp_path / "arrays")
    assert said == "cifar10 test: expected labels below 10, found 10"


def test_images_and_labels_that_differ_in_number_are_refused(raw_fashion_mnist, tmp_path):
    labels = raw_fashion_mnist / "t10k-labels-idx1-ubyte"
    labels.write_bytes(labels.read_bytes()[:4] + (9).to_bytes(4, "big") + bytes(9))
    said = refusal(raw_fashion_mnist, tmp_path / "arrays")
    assert said == "fashion_mnist test: received 10 images, 9 labels"


def test_grey_images_keep_their_one_channel_when_resized(raw_fashion_mnist, tmp_path):
    splits = run(raw_fashion_mnist, tmp_path / "arrays", image_size=[9, 14], val_fraction=0)
    assert splits.train.images.shape == (30, 9, 14, 1)
    assert splits.test.manifest["image_shape"] == [9, 14, 1]


def test_unequal_image_sizes_are_refused_unless_resized(raw_fashion_mnist, tmp_path):
    images = raw_fashion_mnist / "t10k-images-idx3-ubyte"
    content = images.read_bytes()
    images.write_bytes(content[:12] + (20).to_bytes(4, "big") + content[16 : 16 + 10 * 28 * 20])
    splits = run(raw_fashion_mnist, tmp_path / "resized", image_size=[8, 8], val_fraction=0)
    assert splits.test.images.shape == (10, 8, 8, 1)
    said = refusal(raw_fashion_mnist, tmp_path / "arrays", val_fraction=0)
    assert "(28, 28, 1)" in said.replace("[", "(").replace("]", ")")


def test_real_digits_are_split_without_any_repeat(tmp_path):
    from stages import download

    (tmp_path / "empty").mkdir()
    empty = str(tmp_path / "empty")
    params = download.Params(dataset={"name": "digits"}, images=empty, source="auto", archive=empty)
    download.download(params, tmp_path / "raw", tmp_path / "faults.csv")
    splits = run(tmp_path / "raw", tmp_path / "arrays", classes=["seven", "one"], val_fraction=0.1)
    assert splits.test.manifest == {"classes": ["seven", "one"], "image_shape": [8, 8, 1], "count": 72}
    assert len(splits.train.labels) + len(splits.val.labels) == 289
    assert set(splits.train.labels) == {0, 1}


@pytest.fixture
def raw_pets(pets, tmp_path):
    """A folder as download writes it, of images that differ in size."""
    folder = tmp_path / "raw-pets"
    folder.mkdir()
    for file in pets.folder.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / "manifest.json").write_text('{"dataset": "tfds:pets", "files": {}, "plugin": "tfds"}')
    return folder


def test_images_of_unequal_sizes_are_refused_unless_resized(raw_pets, tmp_path):
    said = refusal(raw_pets, tmp_path / "arrays")
    assert "set subset.image_size to [height, width]" in said
    splits = run(raw_pets, tmp_path / "resized", image_size=[6, 7])
    assert splits.train.images.shape == (10, 6, 7, 3)
    assert splits.test.images.shape == (4, 6, 7, 3)


def test_unequal_image_sizes_are_noticed_when_read_one_at_a_time(raw_pets, tmp_path, monkeypatch):
    monkeypatch.setattr(sized, "CHUNK", 1)
    refusal(raw_pets, tmp_path / "arrays")


def test_a_dataset_without_a_test_split_asks_for_a_fraction(prepare_tfds, pets_features, tmp_path):
    generator = np.random.default_rng(0)
    examples = [{"image": generator.integers(0, 256, (4, 4, 3), np.uint8), "label": i % 2} for i in range(20)]
    raw = prepare_tfds("untested", pets_features, train=examples)
    (raw / "manifest.json").write_text('{"dataset": "tfds:untested", "files": {}, "plugin": "tfds"}')
    assert "found only train; set subset.test_fraction" in refusal(raw, tmp_path / "arrays")
    splits = run(raw, tmp_path / "arrays", test_fraction=0.5)
    assert splits.report["images"]["test"] == {"cat": 5, "dog": 5}


def test_a_dataset_without_a_train_split_is_refused(prepare_tfds, pets_features, tmp_path):
    examples = [{"image": np.zeros((4, 4, 3), np.uint8), "label": i % 2} for i in range(4)]
    raw = prepare_tfds("untrained", pets_features, test=examples)
    (raw / "manifest.json").write_text('{"dataset": "tfds:untrained", "files": {}, "plugin": "tfds"}')
    assert "train" in refusal(raw, tmp_path / "arrays")


def raw_tfds(prepare_tfds, features, name, **splits):
    """A folder as download writes it, of squares with labels of their own, by split."""
    generator = np.random.default_rng(0)
    examples = {
        split: [
            {"image": generator.integers(0, 256, (4, 4, 3), np.uint8), "label": label} for label in labels
        ]
        for split, labels in splits.items()
    }
    raw = prepare_tfds(name, features, **examples)
    (raw / "manifest.json").write_text(json.dumps({"dataset": f"tfds:{name}", "files": {}, "plugin": "tfds"}))
    return raw


def test_a_published_split_that_is_not_used_is_reported(prepare_tfds, pets_features, tmp_path, capsys):
    raw = raw_tfds(prepare_tfds, pets_features, "spare", train=[0, 1] * 5, test=[0, 1], extra=[0, 1, 1])
    assert run(raw, tmp_path / "arrays").report["unused"] == {"extra": 3}
    assert "not used: the dataset's own split extra with 3 labelled images" in capsys.readouterr().out
    report = run(raw, tmp_path / "carved", test_fraction=0.2).report
    assert report["unused"] == {"extra": 3, "test": 2}


def test_a_published_validation_split_is_taken_as_such(prepare_tfds, pets_features, tmp_path):
    raw = raw_tfds(prepare_tfds, pets_features, "valid", train=[0, 1] * 5, test=[0, 1], validation=[0, 1, 1])
    splits = run(raw, tmp_path / "arrays", val_fraction=None)
    assert splits.val.labels.tolist() == [0, 1, 1]
    assert (len(splits.train.labels), splits.report["unused"]) == (10, {})


def test_a_published_validation_split_is_joined_to_carve_one(prepare_tfds, pets_features, tmp_path):
    raw = raw_tfds(prepare_tfds, pets_features, "joined", train=[0, 1] * 5, test=[0, 1], validation=[0, 1])
    splits = run(raw, tmp_path / "arrays", val_fraction=0.5)
    assert (len(splits.train.labels), len(splits.val.labels)) == (6, 6)
    assert sorted([*splits.train.positions, *splits.val.positions]) == list(range(12))
    assert splits.report["unused"] == {}


def test_no_published_validation_split_asks_for_a_fraction(raw_cifar10, tmp_path):
    said = refusal(raw_cifar10, tmp_path / "arrays", val_fraction=None)
    assert "expected the dataset's own val split" in said and "set subset.val_fraction" in said


def test_a_test_split_without_labels_asks_for_a_fraction(prepare_tfds, pets_features, tmp_path):
    raw = raw_tfds(prepare_tfds, pets_features, "blind", train=[0, 1] * 5, test=[-1, -1])
    said = refusal(raw, tmp_path / "arrays")
    assert "the dataset's own test split has no labels" in said and "set subset.test_fraction" in said
    assert run(raw, tmp_path / "carved", test_fraction=0.2).report["unused"] == {}


def test_a_missing_label_is_named_with_its_place(prepare_tfds, pets_features, tmp_path):
    raw = raw_tfds(prepare_tfds, pets_features, "holes", train=[0, 1, -1, 1], test=[0, 1])
    assert "train split lacks 1 of its labels (image 2 has -1)" in refusal(raw, tmp_path / "arrays")


def test_a_dataset_of_one_class_is_refused(prepare_tfds, pets_features, tmp_path):
    features = pets_features | {"label": type(pets_features["label"])(names=["cat"])}
    raw = raw_tfds(prepare_tfds, features, "lonely", train=[0] * 6, test=[0])
    assert "expected at least two classes, tfds:lonely has only cat" in refusal(raw, tmp_path / "arrays")


def test_pictures_are_decoded_twice(raw_pets, tmp_path, monkeypatch):
    decoded = []
    decode = tfds.picture.decode

    def counted(*given):
        decoded.append(given[1])
        return decode(*given)

    monkeypatch.setattr(tfds.picture, "decode", counted)
    run(raw_pets, tmp_path / "arrays", image_size=[2, 2])
    shown = 10  # all of the training split, on the page
    for_the_shape = 1 + 4 * cores.usable()  # one, and those that are decoded ahead of need
    assert len(decoded) <= 2 * 16 + shown + for_the_shape


def test_only_the_chosen_images_must_be_of_one_size(prepare_tfds, pets_features, tmp_path):
    generator = np.random.default_rng(0)
    features = pets_features | {"label": type(pets_features["label"])(names=["cat", "dog", "giraffe"])}
    sizes = {0: (4, 4, 3), 1: (4, 4, 3), 2: (9, 4, 3)}
    examples = [
        {"image": generator.integers(0, 256, sizes[label], np.uint8), "label": label}
        for label in [2, 0, 1] * 10
    ]
    raw = prepare_tfds("zoo", features, train=examples, test=examples[:1] + examples)
    (raw / "manifest.json").write_text('{"dataset": "tfds:zoo", "files": {}, "plugin": "tfds"}')
    for chosen in (["cat", "dog"], ["dog", "cat"]):
        splits = run(raw, tmp_path / "arrays", classes=chosen, test_fraction=0.2)
        assert splits.train.manifest["image_shape"] == [4, 4, 3]


@laws
@given(
    classes=st.lists(st.sampled_from(cifar10.CLASSES), min_size=2, unique=True),
    val_fraction=st.sampled_from([0, 0.2, 0.5]),
    test_fraction=st.sampled_from([None, 0.1, 0.5]),
    limit=st.sampled_from([None, 10, 1000]),
    seed=st.integers(0, 2**32 - 1),
)
def test_splits_are_disjoint_and_hold_every_chosen_image(
    raw_cifar10, tmp_path, classes, val_fraction, test_fraction, limit, seed
):
    splits = run(
        raw_cifar10,
        tmp_path / "arrays",
        classes=classes,
        val_fraction=val_fraction,
        test_fraction=test_fraction,
        limit_per_class=limit,
        seed=seed,
    )
    published = cifar10.read(raw_cifar10)[1]
    chosen = {
        split: np.flatnonzero(np.isin(labels, [cifar10.CLASSES.index(name) for name in classes])).tolist()
        for split, (_, labels) in published.items()
    }
    from_train = [splits.train, splits.val, *([] if test_fraction is None else [splits.test])]
    assert sorted(np.concatenate([split.positions for split in from_train])) == chosen["train"]
    if test_fraction is None:
        assert splits.test.positions.tolist() == chosen["test"]


@laws
@given(data=st.data(), fraction=st.sampled_from([0.1, 0.25, 0.3, 0.7]), testing=st.booleans())
def test_each_class_is_split_by_the_fraction_within_one_image(raw_cifar10, tmp_path, data, fraction, testing):
    classes = np.repeat(np.arange(3), data.draw(st.permutations([14, 30, 56])))
    for i in range(5):
        relabel(raw_cifar10, f"data_batch_{i + 1}.bin", classes[i * 20 : (i + 1) * 20])
    relabel(raw_cifar10, "test_batch.bin", np.arange(20) % 3)
    fractions = {"val_fraction": 0, "test_fraction": fraction} if testing else {"val_fraction": fraction}
    names = cifar10.CLASSES[:3]
    counts = run(raw_cifar10, tmp_path / "arrays", classes=names, **fractions).report["images"]
    carved = counts["test" if testing else "val"]
    for name, total in zip(names, np.bincount(classes), strict=True):
        assert carved[name] + counts["train"][name] == total
        assert abs(carved[name] - fraction * total) < 1


@laws
@given(height=st.integers(1, 40), width=st.integers(1, 40))
def test_resizing_keeps_type_channels_and_plain_colours(raw_cifar10, tmp_path, height, width):
    colours = np.array([[i, 255 - i, i // 2] for i in range(120)], np.uint8)
    for i, name in enumerate(cifar10.FILES):
        rows = np.fromfile(raw_cifar10 / name, np.uint8).reshape(-1, cifar10.ROW)
        rows[:, 1:] = np.repeat(colours[i * 20 : (i + 1) * 20], 1024, axis=1)
        rows.tofile(raw_cifar10 / name)
    size, classes = [height, width], ["frog", "cat"]
    splits = run(raw_cifar10, tmp_path / "arrays", image_size=size, classes=classes)
    for split, first in (("train", 0), ("val", 0), ("test", 100)):
        part = getattr(splits, split)
        assert part.images.dtype == np.uint8
        assert part.images.shape[1:] == (height, width, 3)
        assert part.manifest["image_shape"] == [*size, 3]
        assert (part.images == colours[first + part.positions][:, np.newaxis, np.newaxis]).all()


def test_resizing_to_the_size_images_have_changes_nothing(raw_cifar10, tmp_path):
    plain = run(raw_cifar10, tmp_path / "plain")
    resized = run(raw_cifar10, tmp_path / "resized", image_size=[32, 32])
    assert np.array_equal(plain.train.images, resized.train.images)


def test_shrinking_averages_and_enlarging_keeps_the_pixel_range(raw_fashion_mnist, tmp_path):
    for prefix, count in (("train", 30), ("t10k", 10)):
        path = raw_fashion_mnist / f"{prefix}-images-idx3-ubyte"
        striped = np.full((count, 28, 28), 100, np.uint8)
        striped[:, ::2, 20:] = 200  # every other row on the right
        striped[:, 0, 0] = np.arange(count) + 50 * (prefix == "t10k")  # so that no image is repeated
        path.write_bytes(path.read_bytes()[:16] + striped.tobytes())
    small = run(raw_fashion_mnist, tmp_path / "small", image_size=[14, 14], val_fraction=0).train.images
    assert set(small[:, 2:12, :8].ravel()) == {100}
    assert set(small[:, 2:12, 12:].ravel()) == {150}
    large = run(raw_fashion_mnist, tmp_path / "large", image_size=[56, 56], val_fraction=0).train.images
    assert (large[:, 4:].min(), large.max()) == (100, 200)


def test_a_disk_without_room_is_noticed_before_the_first_byte(raw_cifar10, tmp_path, monkeypatch):
    counts = run(raw_cifar10, tmp_path / "before").report["images"]
    needed = 32 * 32 * 3 * sum(sum(of_class.values()) for of_class in counts.values())
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=needed - 1))
    assert "but the disk has" in refusal(raw_cifar10, tmp_path / "arrays")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=needed))
    run(raw_cifar10, tmp_path / "arrays")


def test_the_fraction_that_takes_one_image_is_a_short_number(raw_cifar10, tmp_path):
    said = refusal(raw_cifar10, tmp_path / "arrays", limit_per_class=7, val_fraction=0.01)
    assert said.endswith(" of its 7 images is none, 0.1 is one")
    run(raw_cifar10, tmp_path / "arrays", limit_per_class=7, val_fraction=0.1)


def test_the_least_val_fraction_is_of_what_the_test_split_leaves(raw_cifar10, tmp_path):
    changes: dict = {"test_fraction": 0.5, "val_fraction": 0.1}
    said = refusal(raw_cifar10, tmp_path / "arrays", **changes)
    assert said.endswith(": subset.val_fraction = 0.1 of its 5 images is none, 0.2 is one")
    run(raw_cifar10, tmp_path / "arrays", **changes | {"val_fraction": 0.2})
