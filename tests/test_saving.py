"""Equal models are equal files, and Keras loads them."""

import json
import zipfile

import keras
import numpy as np
import pytest

from stages.classifier import saving


def classifier(seed=0):
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((4, 4, 1), dtype="uint8", name="pixels")
    x = keras.layers.Normalization(mean=[100.0], variance=[400.0])(inputs)
    x = keras.layers.BatchNormalization()(keras.layers.Conv2D(2, 3)(x))
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(keras.layers.Flatten()(x)))


@pytest.fixture
def saved(tmp_path):
    saving.save(classifier(), tmp_path / "model.keras")
    return tmp_path / "model.keras"


def test_equal_models_are_equal_files(tmp_path, saved):
    saving.save(classifier(), tmp_path / "again.keras")
    assert (tmp_path / "again.keras").read_bytes() == saved.read_bytes()


def test_other_weights_are_another_file(tmp_path, saved):
    saving.save(classifier(seed=1), tmp_path / "other.keras")
    assert (tmp_path / "other.keras").read_bytes() != saved.read_bytes()


def test_a_file_holds_no_date(saved):
    with zipfile.ZipFile(saved) as archive:
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert set(json.loads(archive.read("metadata.json"))) == {"keras_version"}


def test_a_loaded_model_gives_the_same_outputs(saved):
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 1), np.uint8)
    loaded = keras.models.load_model(saved)
    np.testing.assert_array_equal(loaded(images, training=False), classifier()(images, training=False))


def test_nothing_else_is_left_in_the_folder(saved):
    assert list(saved.parent.iterdir()) == [saved]


def test_an_older_file_is_replaced(saved):
    saved.write_bytes(b"x" * 1_000_000)
    saving.save(classifier(), saved)
    assert saved.stat().st_size < 1_000_000
    assert keras.models.load_model(saved).output_shape == (None, 3)


def test_a_newer_option_stays_where_it_is_not_the_default(tmp_path):
    inputs = keras.Input((4,))
    saving.save(
        keras.Model(inputs, keras.layers.BatchNormalization(renorm=True)(inputs)), tmp_path / "a.keras"
    )
    with zipfile.ZipFile(tmp_path / "a.keras") as archive:
        layers = json.loads(archive.read("config.json"))["config"]["layers"]
    assert layers[1]["config"]["renorm"] is True
    assert "renorm_momentum" not in layers[1]["config"]


def test_options_that_older_versions_do_not_know_are_left_out(saved):
    with zipfile.ZipFile(saved) as archive:
        config = archive.read("config.json").decode()
    assert not [name for name in saving.NEWER_OPTIONS if f'"{name}"' in config]


def of_operations(*layers):
    """A model with operations, whose names older versions do not know, and layers of the same names."""
    inputs = keras.Input((4, 4, 1))
    x = keras.ops.add(keras.layers.Resizing(2, 2)(inputs), 1.0)
    for layer in layers:
        x = layer([x, x])
    return keras.Model(inputs, keras.ops.min(keras.ops.max(x, axis=1), axis=1))


def named(path):
    """The operations of a saved model that have names."""
    with zipfile.ZipFile(path) as archive:
        layers = json.loads(archive.read("config.json"))["config"]["layers"]
    operations = [each for each in layers if each["module"].startswith("keras.src.ops")]
    return [each["class_name"] for each in operations if "name" in each["config"]]


@pytest.mark.parametrize(
    ("layers", "kept"),
    [([], []), (["add_7"], ["Add"]), (["add_7", "min_7"], ["Add", "Min"]), (["address"], [])],
)
def test_operations_lose_their_names_unless_a_layer_could_have_them(tmp_path, layers, kept):
    keras.utils.clear_session()
    model = of_operations(*(keras.layers.Add(name=name) for name in layers))
    saving.save(model, tmp_path / "model.keras")
    assert named(tmp_path / "model.keras") == kept
    images = np.random.default_rng(0).random((3, 4, 4, 1), np.float32)
    expected = model(images, training=False)
    for _ in range(2):  # names are counted on
        loaded = keras.models.load_model(tmp_path / "model.keras")
        np.testing.assert_array_equal(loaded(images, training=False), expected)
    saving.save(loaded, tmp_path / "again.keras")
    assert keras.models.load_model(tmp_path / "again.keras").output_shape == (None, 1)
