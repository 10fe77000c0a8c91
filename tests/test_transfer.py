"""Transfer learning: the backbone's own preprocessing, weights from files, batch statistics that stay."""

import subprocess
import sys

import keras
import numpy as np
import pytest
from keras.src.utils import file_utils

from stages.backbones import keras_applications
from stages.classifier import architecture, assembly, saving, stock_layers
from stages.inputs import manifest
from stages.layers import processor
from stages.models import transfer
from stages.running import errors
from stages.training import kernel_penalty, stepping
from tests import precisions
from tests.training import OPTIONS

SIZE = 32


@pytest.fixture(autouse=True)
def _same_weights_and_full_precision_again():
    keras.utils.set_random_seed(0)
    yield
    keras.mixed_precision.set_dtype_policy("float32")


@pytest.fixture(scope="module")
def backbone():
    """A backbone as Keras makes it whose batch statistics fit pixels, so that its features differ."""
    keras.utils.set_random_seed(0)
    model = keras.applications.MobileNetV3Small(include_top=False, weights=None, input_shape=(SIZE, SIZE, 3))
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    model(images(64, SIZE, 3), training=True)
    return model


@pytest.fixture(scope="module")
def weights(backbone, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "backbone.weights.h5"
    backbone.save_weights(path)
    return path


def images(count, size=8, channels=3):
    """Pixels 0..255 of smooth images of different colours."""
    generator = np.random.default_rng(0)
    coarse = generator.uniform(0, 255, (count, 2, 2, channels)).astype(np.float32)
    return np.rint(keras.ops.image.resize(coarse, (size, size)))


def build(shape=(8, 8, 3), weights="none", file=None, image_size=SIZE):
    """The network with the weights of a file, if one is given."""
    weights = weights if file is None else "file"
    options = {"backbone": "MobileNetV3Small", "weights": weights, "image_size": image_size, "dropout": 0.2}
    return architecture.Architecture({"name": "transfer", **options}).build(list(shape), 2, file)


def refusal(**weights):
    with pytest.raises(errors.StageError) as caught:
        build(**weights)
    return str(caught.value)


@pytest.mark.parametrize("name", keras_applications.BACKBONES)
def test_a_backbone_receives_what_its_own_preprocessing_makes(name):
    module = {
        "EfficientNetV2B0": keras.applications.efficientnet_v2,
        "MobileNetV2": keras.applications.mobilenet_v2,
        "MobileNetV3Small": keras.applications.mobilenet_v3,
        "ResNet50": keras.applications.resnet,
        "ResNet50V2": keras.applications.resnet_v2,
        "VGG16": keras.applications.vgg16,
    }[name]
    if not processor.is_held_back():
        keras.mixed_precision.set_dtype_policy("mixed_bfloat16")
    inputs = keras.Input((SIZE, SIZE, 3))
    scale = keras.Model(inputs, transfer.BACKBONES[name].scale(inputs))
    expected = module.preprocess_input(images(3, SIZE))
    np.testing.assert_allclose(scale(images(3, SIZE)), expected, atol=1e-4)


@pytest.mark.parametrize("name", keras_applications.BACKBONES)
def test_the_published_weights_are_those_of_keras(monkeypatch, name):
    class Asked(Exception):
        pass

    def ask(fname, origin, cache_subdir="", file_hash=None):
        raise Asked(origin, file_hash)

    monkeypatch.setattr(file_utils, "get_file", ask)
    with pytest.raises(Asked) as asked:
        transfer.BACKBONES[name].create(include_top=False, weights="imagenet", input_shape=(224, 224, 3))
    weights = keras_applications.BACKBONES[name].weights
    assert isinstance(weights, keras_applications.Weights)
    assert asked.value.args == (keras_applications.PUBLISHED + weights.file, weights.md5)


@pytest.mark.parametrize("suffix", [".weights.h5", ".keras", ".h5"])
def test_the_features_are_those_of_the_backbone_in_the_file(backbone, tmp_path, suffix):
    path = tmp_path / f"backbone{suffix}"
    (backbone.save_weights if suffix == ".weights.h5" else backbone.save)(path)
    model = build(file=path)
    resized = keras.ops.image.resize(images(4), (SIZE, SIZE))
    features = np.mean(backbone(resized, training=False), axis=(1, 2))
    kernel, bias = model.layers[-1].get_weights()
    expected = features @ kernel + bias
    assert np.ptp(expected, axis=0).min() > 0.01, "images are not told apart"
    np.testing.assert_allclose(model(images(4), training=False), expected, atol=1e-4)


def test_without_weights_the_backbone_is_random():
    first, second = (build().get_layer("backbone").get_weights()[0] for _ in range(2))
    assert not np.array_equal(first, second)


def test_grey_images_are_seen_as_three_equal_channels(weights):
    grey, colour = build((8, 8, 1), file=weights), build((8, 8, 3), file=weights)
    colour.set_weights(grey.get_weights())
    pixels = images(3, channels=1)
    np.testing.assert_allclose(grey(pixels), colour(np.repeat(pixels, 3, axis=-1)), atol=1e-5)


def test_images_of_other_channels_are_bad_input():
    with pytest.raises(errors.BadInput, match="images of 1 or 3 channels, received 4"):
        build((8, 8, 4))


def test_images_are_resized_for_the_backbone():
    assert build((20, 30, 3), image_size=64).get_layer("backbone").input_shape == (None, 64, 64, 3)


def test_a_frozen_backbone_keeps_its_weights_and_the_head_learns(weights):
    model = build(file=weights)
    model.get_layer("backbone").trainable = False
    assert len(model.trainable_variables) == 2
    before = model.get_weights()
    train_steps(model, 2)
    changed = [not np.array_equal(old, new) for old, new in zip(before, model.get_weights(), strict=True)]
    assert changed == [False] * (len(before) - 2) + [True, True]


@pytest.mark.long
@pytest.mark.parametrize("policy", ["float32", precisions.BFLOAT16])
def test_fine_tuning_moves_backbone_kernels_but_no_statistics(weights, policy):
    keras.mixed_precision.set_dtype_policy(policy)
    model = build(file=weights)
    backbone = model.get_layer("backbone")
    backbone.trainable = False
    backbone.trainable = True
    moved = {variable.path: variable.numpy() for variable in backbone.variables}
    train_steps(model, 1)
    moved = {
        variable.path: not np.array_equal(moved[variable.path], variable) for variable in backbone.variables
    }
    assert not [path for path in moved if "moving" in path and moved[path]]
    assert [path for path in moved if path.endswith("kernel") and not moved[path]] == []


def train_steps(model, steps):
    """Steps of the training loop on two classes of images."""
    pixels = keras.Input((8, 8, 3), dtype="uint8")
    network = keras.Model(pixels, model(keras.layers.Rescaling(1.0, dtype="float32")(pixels)))
    optimizer, penalty = keras.optimizers.SGD(0.001), kernel_penalty.Penalty(0.0, 0.0)
    trainer = stepping.Trainer(
        network, network, network.trainable_variables, optimizer, 0.0, penalty, jit=False
    )
    batch = images(8).astype(np.uint8), np.arange(8, dtype=np.int32) % 2, np.arange(8)
    trainer.train_epoch([batch] * steps, 8 * steps, "epoch 1/1")


LOAD = """
import sys

import keras
import numpy as np

model = keras.models.load_model(sys.argv[1])
np.save(sys.argv[3], model.predict(np.load(sys.argv[2]), verbose=0))
"""


def test_a_trained_model_is_saved_and_loaded_reproducibly(weights, tmp_path):
    network = build(file=weights)
    train_steps(network, 1)
    constants = manifest.Normalization(method="none", mean=[0.0] * 3, std=[1.0] * 3)
    classifier = assembly.assemble(network, (8, 8, 3), constants, looks=1).probabilities
    for name in ("model.keras", "again.keras"):
        saving.save(stock_layers.with_stock_layers(classifier), tmp_path / name)
    assert (tmp_path / "model.keras").read_bytes() == (tmp_path / "again.keras").read_bytes()
    pixels = images(4).astype(np.uint8)
    np.save(tmp_path / "pixels.npy", pixels)
    files = ["model.keras", "pixels.npy", "probabilities.npy"]
    subprocess.run([sys.executable, "-c", LOAD, *files], check=True, cwd=tmp_path)
    expected = classifier.predict(pixels, verbose=0)
    assert np.ptp(expected, axis=0).min() > 0.01, "images are not told apart"
    np.testing.assert_allclose(np.load(tmp_path / "probabilities.npy"), expected, atol=1e-5)


def test_the_published_weights_are_fetched_and_loaded(backbone, server, monkeypatch, tmp_path):
    backbone.save(tmp_path / "whole.h5")
    weights = keras_applications.Weights("small.h5", md5=None)
    row = transfer.BACKBONES["MobileNetV3Small"]._replace(weights=weights)
    server.files["small.h5"] = (tmp_path / "whole.h5").read_bytes()
    monkeypatch.setattr(keras_applications, "PUBLISHED", server.url(""))
    monkeypatch.setitem(transfer.BACKBONES, "MobileNetV3Small", row)
    found = build(weights="imagenet").get_layer("backbone").get_weights()
    for mine, theirs in zip(found, backbone.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_unreachable_published_weights_are_named_with_a_way_out(server, monkeypatch):
    monkeypatch.setattr(keras_applications, "PUBLISHED", server.url(""))
    message = refusal(weights="imagenet")
    assert message.startswith("could not fetch the weights of MobileNetV3Small: http://127.0.0.1")
    assert "no_top_v2.h5: the server answered 404" in message
    assert message.endswith("put it into data/weights and set train.model.weights to file")


def test_a_file_of_weights_that_is_not_there_is_bad_input(tmp_path):
    message = refusal(file=tmp_path / "absent.h5")
    assert "train.weights: expected one file of weights" in message
    assert "absent.h5" in message


def test_weights_of_another_backbone_are_bad_input(tmp_path):
    other = keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=(SIZE, SIZE, 3))
    other.save_weights(tmp_path / "other.weights.h5")
    message = refusal(file=tmp_path / "other.weights.h5")
    assert "expected weights of MobileNetV3Small without its top" in message
    assert "other.weights.h5, which does not fit" in message
    assert "\n" not in message


@pytest.mark.parametrize("suffix", [".weights.h5", ".h5", ".keras", ".ckpt"])
def test_a_file_that_holds_no_weights_is_bad_input(tmp_path, suffix):
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(b"no weights" * 100)
    assert f"{path}, which does not fit" in refusal(file=path)


def test_a_truncated_file_of_weights_is_bad_input(weights, tmp_path):
    path = tmp_path / "half.weights.h5"
    path.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])
    assert "half.weights.h5, which does not fit" in refusal(file=path)


def test_a_keras_file_of_something_else_is_bad_input(tmp_path):
    inputs = keras.Input((2,))
    keras.Model(inputs, keras.layers.Dense(2)(inputs)).save(tmp_path / "dense.keras")
    assert "dense.keras, which does not fit" in refusal(file=tmp_path / "dense.keras")


def test_a_file_that_is_not_asked_for_is_bad_input(weights):
    with pytest.raises(errors.BadInput, match=r"train\.model\.weights is none, but train\.weights names /"):
        architecture.Architecture({"name": "transfer", **OPTIONS["transfer"]}).build([8, 8, 3], 2, weights)


def test_a_file_that_is_missing_is_asked_for():
    assert "is file, but train.weights names nothing" in refusal(weights="file")


def test_a_model_that_takes_no_weights_says_so(weights):
    with pytest.raises(errors.BadInput, match=r"train\.weights: dense takes no file of weights"):
        architecture.Architecture({"name": "dense", **OPTIONS["dense"]}).build([8, 8, 3], 2, weights)


def test_a_folder_is_no_file_of_weights(tmp_path):
    assert refusal(file=tmp_path).endswith(f"found no file at {tmp_path}")
