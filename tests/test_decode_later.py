"""Training pictures that the subset stage only lists: the records stage makes the same of them."""

import pickle

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from stages import subset
from stages.datasets import tfds
from stages.decoding import picture
from stages.figures import canvas
from stages.inputs import augment, encoded, manifest, resized_crop
from stages.running import errors, paramfile
from stages.splits import written
from tests import tiny
from tests.pictures import downloaded, hash_of, numbered, pixels, put
from tests.pictures import encoded as as_file
from tests.subsets import DEFAULTS

CROP = {"random_resized_crop": {"area": [0.35, 1.0], "ratio": [0.75, 1.3333]}}


@pytest.fixture(autouse=True)
def no_page(monkeypatch):
    monkeypatch.setattr(canvas, "save", lambda figure, path: path.touch())


@pytest.fixture
def place(tmp_path):
    """Pictures of two classes and several sizes, with folders of splits."""
    root = tmp_path / "images"
    for split, count in (("train", 7), ("val", 4), ("test", 2)):
        for name in numbered(["cat", "dog"], count, f"{split}/"):
            number = hash_of(name)
            put(root / name, as_file(pixels(number, 10 + number % 7, 16 + number % 5)))
    return root


@pytest.fixture
def choose(tmp_path, place):
    """A function that runs the stages download and subset."""

    def run(decode, folder="arrays", **changes):
        downloaded(place, tmp_path / "raw")
        values = {**DEFAULTS, "image_size": [12, 12], "resize": "crop", "decode": decode, **changes}
        params = paramfile.check(subset.Params, values, "subset")
        reports = tmp_path / "data.json", tmp_path / "data.png"
        subset.subset(params, tmp_path / "raw", tmp_path / folder, *reports)
        return tmp_path / folder

    return run


def test_later_or_now_gives_the_same_records(tmp_path, choose):
    now, later = choose("now", "now"), choose("later", "later")
    assert not (later / "train/images.npy").exists()
    assert tiny.digests(now / "val") == tiny.digests(later / "val")
    for way in ("decoded", "encoded"):
        of_both = [
            tiny.digests(tiny.build_records(tmp_path / f"{way} {each.name}", each, encoding=way, views=1))
            for each in (now, later)
        ]
        assert of_both[0] == of_both[1]
        assert "train/names.json" in of_both[0] and "train/manifest.json" in of_both[0]


def test_auto_lists_what_takes_too_much_room(choose, monkeypatch, capsys):
    assert (choose("auto") / "train/images.npy").exists()
    monkeypatch.setattr(written.manifests, "LARGEST_DECODED", 18 * 12 * 12 * 3 - 1)
    assert not (choose("auto") / "train/images.npy").exists()
    assert "18 training pictures are listed, for the records stage to decode" in capsys.readouterr().out


def files(shard):
    """The JPEG files in a file of records with one record."""
    (record,) = tf.data.TFRecordDataset(str(shard))
    columns = tf.train.Example.FromString(record.numpy()).features.feature
    return columns["images"].bytes_list.value


def test_pictures_in_their_own_shapes(tmp_path, choose):
    listed = choose("later")
    short = {"quality": 90, "short_side": 11}
    folder = tiny.build_records(tmp_path, listed, encoding="encoded", encoded=short, augment=[CROP]) / "train"
    split = encoded.read(folder)
    assert split.manifest.model_dump()["encoded"]["short_side"] == 11
    stored = files(folder / encoded.shard_name(0))
    sizes = [tf.image.decode_jpeg(each).shape[:2] for each in stored]
    assert set(map(min, sizes)) <= {10, 11} and len(set(map(tuple, sizes))) > 3
    (crop,) = augment.parse([CROP])
    assert isinstance(crop, resized_crop.RandomResizedCrop)
    places = np.load(listed / "train/positions.npy").tolist()
    for number in range(2):
        parts = zip(*split.batches(50, [number]), strict=True)
        images, _, positions = (np.concatenate(each) for each in parts)
        assert sorted(positions.tolist()) == sorted(places)
        for image, place in zip(images, map(places.index, positions.tolist()), strict=True):
            numbers = augment.draw([crop], tiny.RECORDS["seed"], number, np.array([place]))
            (box,) = crop.boxes(tf.constant(numbers), tf.constant([sizes[place]]))
            part = tf.image.decode_and_crop_jpeg(stored[place], box, 3, dct_method="INTEGER_ACCURATE")
            np.testing.assert_array_equal(image, resized_crop.scaled(part, 12, 12))
    whole = tiny.build_records(tmp_path / "whole", listed, encoding="encoded", augment=[CROP]) / "train"
    assert manifest.read(whole).normalization == split.manifest.normalization
    with pytest.raises(errors.BadInput, match=r"random_resized_crop as the first of records\.augment"):
        tiny.build_records(tmp_path / "other", listed, encoding="encoded", encoded=short)
    with pytest.raises(errors.BadInput, match=r"set subset\.decode to later"):
        tiny.build_records(
            tmp_path / "now", choose("now", "now"), encoding="encoded", encoded=short, augment=[CROP]
        )


def test_a_picture_that_changed_after_the_download_is_named(tmp_path, choose, place):
    listed = choose("later")
    for path in sorted(place.glob("train/cat/*")):
        Image.new("RGB", (10, 10)).save(path)
    with pytest.raises(errors.BadInput, match=r"train/cat/.*: expected the picture that the download stage"):
        tiny.build_records(tmp_path, listed, encoding="encoded")
    assert not (tmp_path / "records").exists()


def test_a_picture_of_other_channels_is_refused_later_as_it_is_now(tmp_path, choose, place):
    grey = pixels(1, 12, 12)[..., 0]
    put(place / "train/dog/grey.png", as_file(grey))
    expected = r"expected images of one number of channels, found .*; set subset\.channels to 3"
    with pytest.raises(errors.BadInput, match=expected):
        choose("now")
    with pytest.raises(errors.BadInput, match=expected):
        tiny.build_records(tmp_path, choose("later"), encoding="encoded")
    choose("later", channels=3)
    tiny.build_records(tmp_path, tmp_path / "arrays", encoding="encoded")


def test_later_needs_a_size(choose):
    with pytest.raises(errors.BadInput, match="expected an image_size with decode: later"):
        choose("later", image_size=None)


def test_pictures_of_tfds_can_be_opened_in_another_process(pets):
    _, splits = tfds.read(pets.folder)
    taken = splits["train"][0].take(np.array([7, 2, 4])).take(np.array([2, 0]))
    opened = pickle.loads(pickle.dumps(taken))
    for place, position in enumerate([4, 7]):
        found = opened.decode(place, picture.Colours(None))
        np.testing.assert_array_equal(found, pets.examples["train"][position]["image"])
    assert len(opened) == 2
