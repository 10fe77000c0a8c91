"""The head learns the same on features that are computed once as behind the backbone in every epoch."""

import gc
import shutil
import tempfile
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from stages.classifier import assembly
from stages.inputs import manifest, tfrecord
from stages.layers import inference_mode
from stages.running import errors
from stages.training import features, frozen
from tests import precisions, rounding, small_backbone, tiny
from tests.training import PARAMS, history, load, run

SHAPE = (8, 8, 1)
TRANSFER = {"name": "transfer", "backbone": "VGG16", "weights": "none", "image_size": 32, "dropout": 0.5}
FEATURES = 6
SCHEDULE = PARAMS["schedule"] | {"warmup_epochs": 0}


@pytest.fixture(autouse=True)
def _fresh_keras():
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
    yield
    keras.mixed_precision.set_dtype_policy("float32")


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    return tiny.build_records(folder, tiny.subset(folder / "arrays"), normalize="none")


@pytest.fixture(autouse=True)
def _small_backbone(monkeypatch):
    small_backbone.in_place_of_vgg16(monkeypatch, FEATURES)


def train(records, folder, head_epochs, epochs, **changes):
    tuned = {"head_epochs": head_epochs, "learning_rate_scale": 0.01}
    given = {"model": TRANSFER, "fine_tuning": tuned, "schedule": SCHEDULE, "epochs": epochs, **changes}
    return run(records, folder, **given)


def network(backbone=None, before=(), behind=()):
    """A small network with a backbone, whose head is a dropout and a dense layer."""
    inputs = keras.Input(SHAPE)
    x = inputs
    for layer in before:
        x = layer(x)
    x = (backbone or _backbone())(x)
    for layer in behind:
        x = layer(x)
    x = keras.layers.GlobalAveragePooling2D()(x) * 2.0
    x = keras.layers.Dropout(0.5)(x)
    return keras.Model(inputs, keras.layers.Dense(2, dtype="float32")(x))


def _backbone(kind=inference_mode.InferenceMode):
    inputs = keras.Input(SHAPE)
    return kind(inputs, keras.layers.Conv2D(3, 3, activation="relu")(inputs), name="backbone")


def cut(made, looks=1):
    constants = manifest.Normalization(method="none", mean=[0.0], std=[1.0])
    classifier = assembly.assemble(made, SHAPE, constants, looks)
    return classifier, frozen.cut(made, classifier, looks)


def pixels(count):
    return np.random.default_rng(0).integers(0, 256, (count, *SHAPE), np.uint8)


@pytest.mark.parametrize("looks", [1, pytest.param(6, marks=pytest.mark.long)])
def test_the_weights_are_those_of_the_backbone_in_every_epoch(records, tmp_path, monkeypatch, capsys, looks):
    # Two views: from the third epoch on the order is drawn. Two epochs of the whole network follow.
    both = []
    for name in ("once", "always"):
        keras.utils.clear_session()
        both.append(train(records, tmp_path / name, 4, 6, l2=0.01, test_time_augmentation=looks))
        monkeypatch.setattr(frozen, "cut", lambda *_: None)
    said = capsys.readouterr()
    once, always = (load(folder).get_layer("transfer") for folder in both)
    dense, other = (each.layers[-1].get_weights() for each in (once, always))
    # 18 steps, each of a sum over the features; Adam divides a gradient by its own size.
    for found, expected in zip(dense, other, strict=True):
        np.testing.assert_allclose(found, expected, atol=18 * rounding.of_sum(FEATURES))
    np.testing.assert_allclose(history(both[0]), history(both[1]), atol=1e-4)
    for view in (1, 2):
        assert said.err.count(f"features of the training images, view {view}/2: 24 of 24 images") == 1
    assert said.err.count("features of the validation images, view 1/1: 8 of 8 images") == 1
    assert [line for line in said.out.splitlines() if line.startswith("while only")] == [
        f"while only the head is trained, the backbone runs {often}"
        for often in ("once for each view that is read", "in every epoch")
    ]


@pytest.mark.parametrize("policy", ["float32", precisions.BFLOAT16])
@pytest.mark.parametrize("looks", [1, 2, 6])
def test_the_parts_are_the_classifier(policy, looks):
    keras.mixed_precision.set_dtype_policy(policy)
    classifier, parts = cut(network(), looks)
    images = pixels(5)
    found = parts.tested(parts.looks(images)), parts.logits(parts.features(images))
    np.testing.assert_array_equal(found[0], classifier.tested(images))
    np.testing.assert_array_equal(found[1], classifier.logits(images))
    assert [each.path for each in parts.logits.trainable_variables] == ["dense/kernel", "dense/bias"]
    assert parts.features.output.shape == (None, 3)


@pytest.mark.parametrize(
    "changes",
    [
        lambda: {"backbone": _backbone(keras.Model)},
        lambda: {"before": [keras.layers.Dense(1)]},
        lambda: {"before": [keras.layers.RandomFlip()]},
        lambda: {"backbone": keras.layers.Conv2D(3, 3)},
    ],
    ids=["trains its statistics", "weights before it", "draws before it", "no backbone"],
)
def test_features_that_may_change_are_not_kept(changes):
    assert cut(network(**changes()))[1] is None


def test_a_head_that_looks_past_the_backbone_has_no_features():
    inputs = keras.Input(SHAPE)
    around = keras.layers.Concatenate()([_backbone()(inputs), keras.layers.Cropping2D(1)(inputs)])
    whole = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(around)))
    assert cut(whole)[1] is None


@pytest.mark.parametrize("looks", [False, True])
def test_features_come_in_the_order_of_their_images(records, looks):
    _, parts = cut(network(), 2)
    compute = parts.looks if looks else parts.features
    split = tfrecord.Split(records / "train")
    made = features.Split(split, compute, 64, 2, "the images").streamed(7, range(6), seed=3)
    orders = []
    for epoch in range(6):
        expected = list(split.batches(7, [epoch], seed=3))
        for (found, *others), (images, *its) in zip(made(epoch), expected, strict=True):
            np.testing.assert_allclose(found, compute(images), rtol=rounding.of_sum(9 * 36, 1))
            for mine, theirs in zip(others, its, strict=True):
                np.testing.assert_array_equal(mine, theirs)
        orders.append(tuple(np.concatenate([positions for _, _, positions in expected])))
    assert len(set(orders[1:])) == 5, "no epoch is in another order"


def test_features_keep_the_precision_of_the_policy(records):
    if precisions.BFLOAT16 not in precisions.HALVES:
        pytest.skip("no bfloat16")
    keras.mixed_precision.set_dtype_policy("mixed_bfloat16")
    _, parts = cut(network())
    split = tfrecord.Split(records / "train")
    ((found, _, _),) = features.Split(split, parts.features, 64, 1, "the images").streamed(99, [0])(0)
    ((images, _, _),) = split.batches(99)
    assert found.dtype == tf.bfloat16
    np.testing.assert_array_equal(found, parts.features(images))


def test_images_are_computed_in_batches_bounded_in_bytes(records, monkeypatch):
    _, parts = cut(network())
    monkeypatch.setattr(features, "BATCH_BYTES", 2 * 4 * 64)  # two images
    made = features.Split(tfrecord.Split(records / "train"), parts.features, 64, 1, "the images")
    compute, sizes = made.compute, []

    def noted(images):
        sizes.append(len(images))
        return compute(images)

    made.compute = noted
    list(made.streamed(99, [0])(0))
    assert sizes == [2, 2, 1] * 4 + [2, 2]  # records of five images, the last of four


def test_training_leaves_no_features_behind(records, tmp_path, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    made = []
    compute = features.Split.compute_view

    def noted(split, view):
        compute(split, view)
        made.append(split.folder.parent)

    monkeypatch.setattr(features.Split, "compute_view", noted)
    train(records, tmp_path / "out", 1, 1)
    gc.collect()
    assert set(made) == {tmp_path / "temporary"}
    assert list((tmp_path / "temporary").glob("features-*")) == []


def test_features_that_the_disk_has_no_room_for_are_bad_input(records, monkeypatch):
    _, parts = cut(network())
    monkeypatch.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(free=2 * 24 * 3 * 4 - 1))
    with pytest.raises(errors.BadInput, match="set TMPDIR to a folder on a disk with more"):
        features.Split(tfrecord.Split(records / "train"), parts.features, 64, 2, "the images")


def test_where_epochs_are_resident_the_backbone_runs_always(capsys):
    made = network()
    classifier, _ = cut(made)
    assert features.parts("resident", made, classifier, 1) is None
    with tf.distribute.OneDeviceStrategy("CPU:0").scope():
        assert features.parts("stepwise", made, classifier, 1) is None
    assert capsys.readouterr().out.count("the backbone runs in every epoch") == 2


def test_patience_ends_the_head_and_the_whole_network_trains_on(records, tmp_path):
    unmoving = PARAMS["optimizer"] | {"name": "sgd", "learning_rate": 1e-30}
    train(records, tmp_path, 5, 7, optimizer=unmoving, patience=1)
    assert history(tmp_path)["epoch"].tolist() == [1, 2, 6]
