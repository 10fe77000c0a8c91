"""Your own pictures through the stages: which split each gets, in what form, and what is said of them."""

import io
import json
import os
import re
import shutil
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from dvc.repo import Repo
from PIL import Image

from stages import subset
from stages.datasets import cifar10
from stages.decoding import resizing
from stages.figures import canvas
from stages.inputs import names
from stages.running import errors, paramfile
from stages.sources import index
from tests import pictures, sandbox
from tests.pictures import CLASSES, downloaded, put, write
from tests.subsets import CARVED, DEFAULTS, SPLITS, read


@pytest.fixture(autouse=True)
def no_page(monkeypatch):
    """The page of pictures has tests of its own; to draw it takes longer than all else."""
    monkeypatch.setattr(canvas, "save", lambda figure, path: path.touch())


@pytest.fixture
def own(tmp_path):
    """A function that runs the stages download and subset on a folder."""

    def run(place, name="folder", dataset=None, **changes):
        raw, folder = tmp_path / "raw", tmp_path / "arrays"
        shutil.rmtree(folder, ignore_errors=True)
        downloaded(place, raw, name, **(dataset or {}))
        params = paramfile.check(subset.Params, {**DEFAULTS, **changes}, "subset")
        subset.subset(params, raw, folder, tmp_path / "data.json", tmp_path / "data.png")
        splits = read(folder)
        for split in SPLITS:
            named = json.loads((folder / split / "names.json").read_text())
            assert named.keys() == {str(position) for position in splits[split].positions}
            splits[split].paths = [named[str(position)] for position in splits[split].positions]
        return SimpleNamespace(report=json.loads((tmp_path / "data.json").read_text()), **splits)

    return run


def homes(result) -> dict[str, str]:
    """The split of each picture by its path."""
    return {path: split for split in SPLITS for path in getattr(result, split).paths}


def refusal(own, place, **changes) -> str:
    with pytest.raises(errors.BadInput) as caught:
        own(place, **changes)
    assert not (place.parent / "arrays").exists()
    return str(caught.value)


def photo(number, scale=1.0, quality=None) -> bytes:
    """Fields of grey as a photograph has them; smaller or encoded again it is a near duplicate."""
    fields = np.random.default_rng(number).integers(0, 256, (8, 9, 1), np.uint8).repeat(3, axis=2)
    image = Image.fromarray(fields.repeat(8, axis=0).repeat(8, axis=1))
    image = image.resize((round(72 * scale), round(64 * scale)), Image.Resampling.BILINEAR)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality) if quality else image.save(buffer, "PNG")
    return buffer.getvalue()


def test_a_split_holds_the_pictures_and_labels_of_its_names(own, tmp_path):
    root = write(tmp_path / "mine", *pictures.numbered(CLASSES, 20))
    splits = own(root, **CARVED)
    assert sorted(homes(splits)) == pictures.numbered(CLASSES, 20)
    for part in (splits.train, splits.val, splits.test):
        for path, image, label in zip(part.paths, part.images, part.labels, strict=True):
            assert (image == pictures.pixels(pictures.hash_of(path))).all()
            assert CLASSES[label] == path[:3]
        form = {"background": "#ffffff", "resize": "squash"}
        known = {"classes": CLASSES, "form": form, "image_shape": [10, 12, 3]}
        assert part.manifest == {**known, "count": len(part.paths)}


def test_splits_come_near_the_shares_that_are_asked_for(own, tmp_path):
    root = write(tmp_path / "mine", *pictures.numbered(CLASSES, 150))
    counts = own(root, **CARVED).report["images"]
    for split, share in (("train", 0.49), ("val", 0.21), ("test", 0.3)):
        assert abs(sum(counts[split].values()) / 300 - share) < 0.08


def test_adding_pictures_moves_none_and_keeps_the_order(own, tmp_path):
    names = pictures.numbered(CLASSES, 30)
    root = write(tmp_path / "mine", *names)
    before = own(root, **CARVED)
    write(
        root,
        *pictures.numbered(CLASSES, 20, suffix=".new.png"),
        "cat/000 first.png",
        "ant/1.png",
        "ant/2.png",
    )
    after = own(root, classes=CLASSES, **CARVED)
    assert {path: homes(after)[path] for path in names} == homes(before)
    for split in ("train", "val"):
        kept = [path for path in getattr(after, split).paths if path in names]
        assert kept == getattr(before, split).paths
    assert len(homes(after)) == 101


def test_removing_or_renaming_pictures_moves_none(own, tmp_path):
    root = write(tmp_path / "mine", *pictures.numbered(CLASSES, 30))
    before = homes(own(root, **CARVED))
    (root / "cat/000.png").unlink()
    (root / "dog/001.png").rename(root / "dog/zzz.png")
    after = homes(own(root, **CARVED))
    assert after.pop("dog/zzz.png") == before.pop("dog/001.png")
    del before["cat/000.png"]
    assert after == before


@pytest.mark.parametrize("seed", [1, 2])
def test_a_seed_gives_other_splits_in_another_order(own, tmp_path, seed):
    root = write(tmp_path / "mine", *pictures.numbered(CLASSES, 30))
    one, other = (own(root, seed=each, **CARVED) for each in (0, seed))
    assert homes(one) != homes(other)
    assert one.train.paths != sorted(one.train.paths)
    assert own(root, seed=seed, **CARVED).train.paths == other.train.paths


def test_the_test_split_is_sorted_by_path(own, tmp_path):
    root = write(tmp_path / "mine", *pictures.numbered(CLASSES, 30))
    paths = own(root, **CARVED).test.paths
    assert len(paths) > 5 and paths == sorted(paths)


def test_the_same_picture_is_never_in_two_splits(own, tmp_path):
    for number in range(40):
        for copy in "abc":
            image = Image.open(io.BytesIO(pictures.png(number)))
            buffer = io.BytesIO()
            image.save(buffer, "BMP" if copy == "b" else "PNG")
            put(tmp_path / f"mine/{CLASSES[number % 2]}/{copy}{number}.png", buffer.getvalue())
    splits = own(tmp_path / "mine", **CARVED)
    found = homes(splits)
    for number in range(40):
        assert len({found[f"{CLASSES[number % 2]}/{copy}{number}.png"] for copy in "abc"}) == 1
    assert set(found.values()) == set(SPLITS) and len(found) == 120
    assert splits.report["pictures"]["shares"]["overlaps"] == 0


def likes(root) -> dict[str, int]:
    """Write 30 pictures and a near duplicate of each."""
    for number in range(30):
        put(root / CLASSES[number % 2] / f"{number}.png", photo(number))
        put(root / CLASSES[number % 2] / f"{number} small.png", photo(number, 0.7))
    return {f"{CLASSES[number % 2]}/{number}": number for number in range(30)}


def test_near_duplicates_may_be_told_to_go_apart(own, tmp_path):
    starts = likes(tmp_path / "mine")
    found = homes(own(tmp_path / "mine", image_size=[8, 8], near_duplicates=False, **CARVED))
    assert any(found[f"{start}.png"] != found[f"{start} small.png"] for start in starts)


def test_only_equal_pixels_are_counted_as_repeats(own, tmp_path):
    likes(tmp_path / "mine")
    shutil.copyfile(tmp_path / "mine/cat/0.png", tmp_path / "mine/cat/0 again.png")
    repeated = own(tmp_path / "mine", image_size=[8, 8], **CARVED).report["repeated"]
    assert sum(repeated[split]["within"] for split in SPLITS) == 1


def test_many_pictures_that_belong_together_are_remarked_on(own, tmp_path, capsys):
    root = write(tmp_path / "mine", *pictures.numbered(CLASSES, 30))
    own(root, **CARVED)
    assert "had to go into one split" not in capsys.readouterr().out
    write(root, *(f"cat/film_{number}.png" for number in range(12)))
    own(root, dataset={"group": "film"}, **CARVED)
    assert "12 of 72 pictures had to go into one split together" in capsys.readouterr().out


def test_near_duplicates_are_never_in_two_splits(own, tmp_path):
    for number in range(30):
        folder = tmp_path / "mine" / CLASSES[number % 2]
        put(folder / f"{number}.png", photo(number))
        put(folder / f"{number} small.png", photo(number, 0.7))
        put(folder / f"{number} again.jpg", photo(number, 0.9, 80))
    splits = own(tmp_path / "mine", image_size=[8, 8], **CARVED)
    found = homes(splits)
    for number in range(30):
        start = f"{CLASSES[number % 2]}/{number}"
        assert len({found[f"{start}{rest}"] for rest in (".png", " small.png", " again.jpg")}) == 1
    assert set(found.values()) == set(SPLITS) and len(found) == 90
    pairs = splits.report["pictures"]["near_duplicates"]
    assert len(pairs["pairs"]) >= 60 and not pairs["more"]
    assert all(pair["pictures"][0].split()[0].split(".")[0] in pair["pictures"][1] for pair in pairs["pairs"])


@pytest.mark.parametrize("name", ["folder", "table"])
def test_a_group_is_never_in_two_splits(own, tmp_path, name):
    names = [
        f"{label}/p{patient:02}_{number}.png" for patient in range(25) for label in CLASSES for number in "ab"
    ]
    root = write(tmp_path / "mine", *names)
    rows = [f"{path},{path[:3]},{path[4:7]}" for path in names]
    put(root / "labels.csv", "\n".join(["file,label,who", *rows]).encode())
    columns = {"columns": {**pictures.COLUMNS, "group": "who"}}
    found = homes(own(root, name, {"group": r"p\d+"} if name == "folder" else columns, **CARVED))
    for patient in range(25):
        assert len({found[path] for path in names if f"p{patient:02}_" in path}) == 1
    assert set(found.values()) == set(SPLITS) and len(found) == 100


@pytest.mark.parametrize(("held", "changes"), [("test", {}), ("val", {"val_fraction": None})])
def test_what_is_like_a_held_out_picture_leaves_training(own, tmp_path, held, changes):
    root = write(
        tmp_path / "mine", *(each for split in SPLITS for each in pictures.numbered(CLASSES, 8, f"{split}/"))
    )
    put(root / f"{held}/cat/photo.png", photo(1))
    put(root / "train/cat/like.jpg", photo(1, 0.7, 80))
    put(root / "train/dog/same.png", pictures.png(pictures.hash_of(f"{held}/cat/000.png")))
    splits = own(root, image_size=[8, 8], **changes)
    assert {"train/cat/like.jpg", "train/dog/same.png"}.isdisjoint(homes(splits))
    assert homes(splits)[f"{held}/cat/photo.png"] == held
    repeated = splits.report["repeated"]
    assert repeated["train"][f"dropped_for_{held}"] == ["train/cat/like.jpg", "train/dog/same.png"]


@pytest.fixture
def doubtful(tmp_path):
    """Forty pictures, two of them under both classes."""
    root = write(tmp_path / "mine", *pictures.numbered(CLASSES, 20))
    for number in (3, 7):
        shutil.copy(root / f"cat/{number:03}.png", root / f"dog/also {number}.png")
    return root


PLACES = {("cat/003.png", "dog/also 3.png"), ("cat/007.png", "dog/also 7.png")}


def test_pictures_under_two_classes_are_kept_and_named(own, doubtful):
    splits = own(doubtful, **CARVED)
    assert len(homes(splits)) == 42
    found = splits.report["contradictions"]
    assert found["pictures"] == 2
    named = {tuple(sorted(place["position"] for place in places)) for places in found["places"]}
    assert named == PLACES
    for places in found["places"]:
        assert all(place["class"] == place["position"][:3] for place in places)
        assert all(homes(splits)[place["position"]] == place["split"] for place in places)


def test_pictures_under_two_classes_may_be_dropped(own, doubtful):
    splits = own(doubtful, conflicts="drop", **CARVED)
    assert {path for pair in PLACES for path in pair}.isdisjoint(homes(splits))
    assert len(homes(splits)) == 38
    assert splits.report["contradictions"]["pictures"] == 2


def test_pictures_under_two_classes_may_be_errors(own, doubtful):
    heading, *named, remedy = refusal(own, doubtful, conflicts="error", **CARVED).splitlines()
    assert heading == "expected each picture under one class, found 2 under several:"
    assert sorted(named) == [f"  cat/00{n}.png is 'cat'; dog/also {n}.png is 'dog'" for n in (3, 7)]
    assert remedy == "correct them, or set subset.conflicts to drop, which leaves all of them out"


TOLD = re.compile(
    r"expected images of class '(\w+)' in the (\w+) split, found none: subset\.(\w+)_fraction = (\S+) of its"
    r" (\d+) images is none, (\S+) is one( \(chance decides, picture by picture: more pictures of"
    r" the class, or another subset\.seed, do as well\))?"
)
SMALL = [
    ({"val_fraction": 0.005, "test_fraction": 0.005}, "val"),
    ({"val_fraction": 0.005, "test_fraction": 0.3}, "val"),
    ({"val_fraction": 0.3, "test_fraction": 0.005}, "test"),
    ({"val_fraction": 0.02, "test_fraction": 0.3, "limit_per_class": 9}, "val"),
    ({"val_fraction": 0.3, "test_fraction": 0.005, "limit_per_class": 9}, "test"),
]


@pytest.mark.parametrize(("changes", "split"), SMALL)
@pytest.mark.parametrize("seed", range(3))
def test_a_class_too_small_for_a_split_is_told_what_would_do(own, tmp_path, changes, split, seed):
    root = write(tmp_path / "mine", *pictures.numbered(CLASSES, 24))
    values = {**changes, "seed": seed}
    told: list[tuple[str, str]] = []
    while True:
        try:
            counts = own(root, **values).report["images"]
            break
        except errors.BadInput as error:
            match = TOLD.fullmatch(str(error))
            assert match, str(error)
        name, where, parameter, old, images, new, by_chance = match.groups()
        assert bool(by_chance) == (round(float(old) * int(images)) > 0)
        assert where == parameter and float(old) == values[f"{where}_fraction"] < float(new) < 1
        assert int(images) <= changes.get("limit_per_class", 24)
        assert (name, where) not in told[-1:]  # what it was told last has done
        told.append((name, where))
        values[f"{where}_fraction"] = float(new)
    assert split in {where for _, where in told}
    assert min(min(of_class.values()) for of_class in counts.values()) >= 1


@pytest.mark.parametrize("split", ["val", "test"])
def test_a_share_a_tenth_smaller_than_told_would_not_do(own, tmp_path, split):
    root = write(tmp_path / "mine", *pictures.numbered(CLASSES, 24))
    small = {**CARVED, f"{split}_fraction": 0.001}
    first = TOLD.fullmatch(refusal(own, root, **small))
    assert first and first[2] == split
    less = TOLD.fullmatch(refusal(own, root, **small | {f"{split}_fraction": float(first[6]) * 0.9}))
    assert less and (less[1], less[2], less[6]) == (first[1], split, first[6])


def test_a_class_that_belongs_together_is_not_told_a_fraction(own, tmp_path):
    root = write(tmp_path / "mine", *pictures.numbered(["cat"], 20), *(f"dog/p1_{i}.png" for i in range(7)))
    for seed in range(6):
        said = refusal(own, root, dataset={"group": r"p\d"}, seed=seed, **CARVED)
        assert "of class 'dog' in the " in said
        reason = ": its 7 images belong together, as near duplicates or by their group, and no fraction"
        assert said.endswith(f", found none{reason} divides them")


@pytest.mark.parametrize(
    "changes", [{"val_fraction": 0, "test_fraction": 0.5}, {"val_fraction": 0.5, "test_fraction": 0.3}]
)
def test_a_class_is_limited_by_content(own, tmp_path, changes):
    root = write(tmp_path / "mine", *pictures.numbered(CLASSES, 30))
    whole, limited = own(root, **changes), own(root, limit_per_class=12, **changes)
    counts = limited.report["images"]
    assert {name: sum(counts[split][name] for split in SPLITS) for name in CLASSES} == {"cat": 12, "dog": 12}
    assert homes(limited).items() <= homes(whole).items()


def test_labels_follow_the_order_of_the_chosen_classes(own, tmp_path):
    root = write(tmp_path / "mine", *pictures.numbered(["ant", "bee", "cat", "dog"], 12))
    splits = own(root, classes=["dog", "bee"], **CARVED)
    for split in SPLITS:
        part = getattr(splits, split)
        assert [["dog", "bee"][label] for label in part.labels] == [path[:3] for path in part.paths]
    assert splits.report["classes"] == ["dog", "bee"]


@pytest.mark.parametrize("policy", ["squash", "crop", "pad"])
def test_pictures_of_any_size_are_brought_to_one(own, tmp_path, policy):
    sizes = {
        name: (12 + number % 2, 30 - number % 4) for number, name in enumerate(pictures.numbered(CLASSES, 24))
    }
    for name, size in sizes.items():
        put(tmp_path / "mine" / name, pictures.png(pictures.hash_of(name), *size))
    changes = {"image_size": [9, 14], "resize": policy, "background": "#0a141e", **CARVED}
    splits = own(tmp_path / "mine", **changes)
    for split in SPLITS:
        part = getattr(splits, split)
        assert part.manifest["image_shape"] == [9, 14, 3]
        for path, image in zip(part.paths, part.images, strict=True):
            whole = pictures.pixels(pictures.hash_of(path), *sizes[path])
            assert (image == resizing.resize(whole, [9, 14], policy, (10, 20, 30))).all()
    if policy == "pad":
        assert (splits.train.images[:, [0, -1], 0] == [10, 20, 30]).all()


def test_pictures_of_several_sizes_ask_for_one(own, tmp_path):
    root = write(tmp_path / "mine", *pictures.numbered(CLASSES, 24))
    put(root / "cat/tall.png", pictures.png(5, 20, 8))
    said = refusal(own, root, **CARVED)
    assert "found (10, 12, 3) and (20, 8, 3); set subset.image_size" in said


@pytest.mark.parametrize(("channels", "shape"), [(None, 3), (3, 3), (1, 1)])
def test_colours_have_the_channels_that_are_asked_for(own, tmp_path, channels, shape):
    root = write(tmp_path / "mine", *pictures.numbered(CLASSES, 24))
    images = own(root, channels=channels, **CARVED).train.images
    assert images.shape[1:] == (10, 12, shape)


def grey(number) -> bytes:
    return pictures.encoded(pictures.pixels(number)[..., 0])


@pytest.mark.parametrize(("channels", "shape"), [(None, 1), (3, 3), (1, 1)])
def test_grey_pictures_have_the_channels_that_are_asked_for(own, tmp_path, channels, shape):
    for number, name in enumerate(pictures.numbered(CLASSES, 24)):
        put(tmp_path / "mine" / name, grey(number))
    part = own(tmp_path / "mine", channels=channels, **CARVED).train
    for path, image in zip(part.paths, part.images, strict=True):
        number = pictures.numbered(CLASSES, 24).index(path)
        assert image.shape == (10, 12, shape)
        assert (image == pictures.pixels(number)[..., :1]).all()


def test_grey_beside_colours_asks_for_a_number_of_channels(own, tmp_path):
    root = write(tmp_path / "mine", *pictures.numbered(CLASSES, 24))
    for number in range(5):
        put(root / f"cat/grey {number}.png", grey(number))
    assert "; set subset.channels to 3, or to 1 for grey" in refusal(own, root, **CARVED)
    assert own(root, channels=3, **CARVED).train.images.shape[-1] == 3


@pytest.mark.parametrize(("background", "colour"), [("white", [255] * 3), ("#102030", [16, 32, 48])])
def test_transparent_pixels_get_the_background(own, tmp_path, background, colour):
    for number, name in enumerate(pictures.numbered(CLASSES, 24)):
        pixels = np.dstack([pictures.pixels(number), np.full((10, 12), 255, np.uint8)])
        pixels[:5, :, 3] = 0
        put(tmp_path / "mine" / name, pictures.encoded(pixels))
    images = own(tmp_path / "mine", background=background, **CARVED).train.images
    assert (images[:, :5] == colour).all() and not (images[:, 5:] == colour).all()


@pytest.fixture
def published(tmp_path):
    """Folders of splits; the class bee is in no validation split."""
    names = [
        f"{split}/{name}/{number}.png"
        for split in SPLITS
        for name in ("ant", "bee", "cat")
        for number in range(8)
    ]
    return write(tmp_path / "mine", *(name for name in names if not name.startswith("val/bee")))


def test_folders_of_splits_are_taken_as_they_are(own, published):
    splits = own(published, classes=["ant", "cat"], val_fraction=None)
    assert all(path.startswith(f"{split}/") for path, split in homes(splits).items())
    assert {split: len(getattr(splits, split).paths) for split in SPLITS} == dict.fromkeys(SPLITS, 16)
    assert splits.report["unused"] == {}


def test_a_class_that_validation_lacks_moves_no_label(own, published, tmp_path):
    splits = own(published, classes=["ant", "cat"], val_fraction=None)
    assert {
        label for path, label in zip(splits.val.paths, splits.val.labels, strict=True) if "/cat/" in path
    } == {1}
    classes, read_back = index.read(tmp_path / "raw")
    assert classes == ["ant", "bee", "cat"]
    assert set(read_back["val"][1]) == {0, 2}


def test_a_class_that_validation_lacks_is_named(own, published):
    said = refusal(own, published, val_fraction=None)
    assert said == "expected images of class 'bee' in the val split, found none"


def test_a_validation_folder_is_joined_to_carve_one(own, published):
    splits = own(published, val_fraction=0.4)
    found = homes(splits)
    assert len(found) == 3 * 8 * 3 - 8
    assert {split for path, split in found.items() if path.startswith("test/")} == {"test"}
    assert {split for path, split in found.items() if path.startswith("val/")} == {"train", "val"}
    for part in (splits.train, splits.val):
        for path, image in zip(part.paths, part.images, strict=True):
            assert (image == pictures.pixels(pictures.hash_of(path))).all()


def test_no_validation_folder_asks_for_a_fraction(own, tmp_path):
    names = [*pictures.numbered(CLASSES, 3, "train/"), *pictures.numbered(CLASSES, 3, "test/")]
    said = refusal(own, write(tmp_path / "mine", *names), val_fraction=None)
    assert said.startswith(
        "expected the dataset's own val split, found only train, test; set subset.val_fraction"
    )


def test_no_test_folder_asks_for_a_fraction(own, tmp_path):
    said = refusal(own, write(tmp_path / "mine", *pictures.numbered(CLASSES, 3)))
    assert "expected the dataset's own test split, found only train; set subset.test_fraction" in said


def test_a_test_folder_that_is_not_used_is_reported(own, published):
    assert own(published, val_fraction=0.4, test_fraction=0.4).report["unused"] == {"test": 24}


def test_the_report_describes_the_pictures(own, tmp_path):
    names = pictures.numbered(CLASSES, 12)
    root = write(tmp_path / "mine", *names)
    put(root / "cat/wide.gif", pictures.encoded(pictures.pixels(1, 10, 40)))
    put(root / "dog/black.png", pictures.encoded(np.zeros((10, 12, 3), np.uint8)))
    put(root / "dog/grey.jpg", pictures.encoded(pictures.pixels(2, 9, 12)[..., 0], "JPEG"))
    described = own(root, image_size=[8, 8], channels=3, **CARVED).report["pictures"]
    assert described["width"] == [12, 12, 12, 12, 40] and described["height"] == [9, 10, 10, 10, 10]
    assert described["aspect_ratio"][-1] == 4
    assert described["luminance"][0] == described["sharpness"][0] == 0
    assert described["formats"] == {"PNG": 26, "JPEG": 1} and described["modes"] == {"RGB": 26, "L": 1}
    assert described["notes"] == {"extension": 1, "tiny": 1}
    assert described["near_duplicates"] == {"more": False, "pairs": []}
    odd = described["odd"]
    assert odd["smallest"] == ["dog/grey.jpg"]  # all others are of one size, or larger
    assert odd["darkest"][0] == odd["blurriest"][0] == "dog/black.png"
    assert set(odd["most unusual"]) > {"dog/black.png", "cat/wide.gif"}
    shares = described["shares"]
    assert shares["asked"] == {"train": 0.49, "val": 0.21, "test": 0.3} and shares["overlaps"] == 0
    assert sum(shares["got"].values()) == pytest.approx(1, abs=1e-3)
    assert ("why" in shares) == any(
        abs(shares["got"][split] - shares["asked"][split]) > 0.01 for split in SPLITS
    )


def test_published_images_have_no_names_and_no_description(raw_cifar10, tmp_path):
    params = paramfile.check(subset.Params, DEFAULTS, "subset")
    subset.subset(params, raw_cifar10, *(tmp_path / name for name in ("arrays", "data.json", "data.png")))
    assert json.loads((tmp_path / "data.json").read_text())["pictures"] == {}
    assert not list(tmp_path.rglob("names.json"))


def test_cifar10_as_files_gives_the_images_of_the_published_set(own, raw_cifar10, tmp_path):
    names, splits = cifar10.read(raw_cifar10)
    for split, (images, labels) in splits.items():
        for position, (image, label) in enumerate(zip(images, labels, strict=True)):
            put(tmp_path / f"files/{split}/{names[label]}/{position:05}.png", pictures.encoded(image))
    params = paramfile.check(subset.Params, {**DEFAULTS, "val_fraction": 0}, "subset")
    subset.subset(params, raw_cifar10, tmp_path / "published", tmp_path / "a.json", tmp_path / "a.png")
    (tmp_path / "raw").rename(tmp_path / "raw-published")
    as_published, files = read(tmp_path / "published"), own(tmp_path / "files", val_fraction=0)
    assert files.report["classes"] == names and files.report["images"]["val"] == dict.fromkeys(names, 0)
    for split in ("train", "test"):
        one, other = as_published[split], getattr(files, split)
        in_order = np.argsort(one.positions) if split == "train" else slice(None)
        by_path = np.argsort(other.positions)
        for label in range(len(names)):
            expected = one.images[in_order][one.labels[in_order] == label]
            assert np.array_equal(other.images[by_path][other.labels[by_path] == label], expected)
            assert len(expected) == (10 if split == "train" else 2)


@pytest.mark.parametrize("change", ["changed", "removed"])
def test_a_picture_that_changed_since_download_stops_subset(own, tmp_path, change):
    root = write(tmp_path / "mine", *pictures.numbered(CLASSES, 20))
    raw = tmp_path / "raw"
    downloaded(root, raw)
    put(root / "cat/007.png", pictures.png(1)) if change == "changed" else (root / "cat/007.png").unlink()
    params = paramfile.check(subset.Params, {**DEFAULTS, **CARVED}, "subset")
    with pytest.raises(errors.BadInput, match=f"{root}/cat/007.png: expected the picture that the download"):
        subset.subset(params, raw, tmp_path / "arrays", tmp_path / "data.json", tmp_path / "data.png")
    assert not (tmp_path / "arrays").exists()


def test_the_same_pictures_give_the_same_bytes(own, tmp_path):
    root = write(tmp_path / "mine", *pictures.numbered(CLASSES, 12))
    first = own(root, **CARVED), pictures.content(tmp_path / "arrays")
    again = own(root, **CARVED), pictures.content(tmp_path / "arrays")
    assert first[1] == again[1] and first[0].report == again[0].report


def test_names_that_are_not_utf8_reach_the_report(own, tmp_path):
    root = write(tmp_path / "mine", *pictures.numbered(CLASSES, 12))
    name = os.fsdecode(b"cat/caf\xe9.png")
    write(root, name)
    split = homes(own(root, **CARVED))[name]
    folder = tmp_path / "arrays" / split
    shown = names.read(folder, np.load(folder / "positions.npy"))
    assert shown is not None and r"cat/caf\udce9.png" in shown.tolist()


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A repository that has trained on pictures in data/images, once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMAGE_PIPELINE_CACHE", str(tmp_path_factory.mktemp("cache")))
        repository = sandbox.create(tmp_path_factory.mktemp("project") / "repository")
        write(repository.path / "data/images", *pictures.numbered(CLASSES, 24))
        repository.set("download.dataset", {"name": "folder", **pictures.FOLDER})
        for name, value in CARVED.items():
            repository.set(f"subset.{name}", value)
        repository.set("train.model", {"name": "dense", "units": [], "dropout": 0.0})
        repository.set("train.epochs", 1)
        assert repository.stages_run("dvc", "repro") == sandbox.STAGES
        repository.commit("first run")
        yield repository


def stale(repository, monkeypatch) -> list[str]:
    """The stages that `dvc status` names."""
    monkeypatch.chdir(repository.path)
    with Repo() as repo:
        return [name for name in repo.status() if not name.endswith(".dvc")]


def test_predictions_and_confusions_name_the_files(project):
    reports, test = project.path / "reports", project.path / "data/subset/test"
    named = json.loads((test / "names.json").read_text())
    table = pd.read_csv(reports / "predictions.csv")
    assert {str(row["index"]): row["path"] for _, row in table.iterrows()} == named
    assert (table["path"].str[:3] == table["actual"]).all() and len(table) > 5
    wrong = table[table["actual"] != table["predicted"]]
    assert len(wrong)
    shown = (reports / "confusions.md").read_text()
    for _, pair in wrong.groupby(["actual", "predicted"]):
        assert all(path in shown for path in pair["path"][:3])
    assert len((reports / "data_faults.csv").read_text().splitlines()) == 1


def add(place):
    write(place, "cat/new.png")


def change(place):
    put(place / "cat/003.png", pictures.png(1))


def move(place):
    (place / "cat/003.png").rename(place / "dog/moved.png")


def delete(place):
    (place / "cat/003.png").unlink()


@pytest.fixture(scope="module", params=["data/images", "data/photos", "elsewhere"])
def watched(request, project, tmp_path_factory):
    """The place of pictures in the repository, put under `dvc add`, or outside of it; all is up to date."""
    if request.param == "data/images":
        return project.path / request.param
    outside = request.param == "elsewhere"
    place = tmp_path_factory.mktemp("photos") / "mine" if outside else project.path / request.param
    shutil.copytree(project.path / "data/images", place, ignore=shutil.ignore_patterns(".gitignore"))
    if not outside:
        project.run("dvc", "add", "--quiet", request.param)
    project.set("download.images", str(place) if outside else request.param)
    assert project.stages_run("dvc", "repro", "download") == ["download"]
    return place


@pytest.mark.parametrize("what", [add, change, move, delete])
def test_a_picture_that_is_touched_makes_download_stale(project, watched, tmp_path, monkeypatch, what):
    kept = shutil.copytree(watched, tmp_path / "kept")
    assert "download" not in stale(project, monkeypatch)
    try:
        what(watched)
        assert "download" in stale(project, monkeypatch)
    finally:
        shutil.rmtree(watched)
        shutil.copytree(kept, watched)
    assert "download" not in stale(project, monkeypatch)
