"""The train stage in the scope of a tf.distribute strategy of two replicas on the CPU."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest

from tests import test_models, test_train, tiny

# Logical devices can only be made before TensorFlow's first operation: in a process of their own.
SCRIPT = """
import json, sys
from pathlib import Path
import tensorflow as tf
from stages import train

records, folder, params = Path(sys.argv[1]), Path(sys.argv[2]), train.Params(**json.loads(sys.argv[3]))
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
tf.config.set_visible_devices([], "GPU")
with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
    train.train(params, records / "train", records / "val", folder / "model", folder / "history.csv")
"""
SGD = test_train.PARAMS["optimizer"] | {"name": "sgd", "learning_rate": 0.05}
MUON = SGD | {"name": "muon", "momentum": 0.6, "bias_scale": 10.0}
AIRBENCH = {"name": "airbench", **test_models.OPTIONS["airbench"]}


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    return tiny.build_records(folder, tiny.subset(folder / "arrays"))


def on_two_replicas(records, folder, **changes):
    params = json.dumps(test_train.PARAMS | changes)
    command = [sys.executable, "-c", SCRIPT, records, folder, params]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr[-3000:]
    assert "24.0 of 24.0 images" in ended.stderr  # both replicas' shares
    return folder


@pytest.mark.parametrize("changes", [{}, {"l2": 0.1}, {"batch_size": 5}])
def test_two_replicas_learn_what_one_learns(records, tmp_path, changes):
    changes = {"model": {"name": "dense", "units": [4], "dropout": 0.0}, "optimizer": SGD, **changes}
    keras.utils.clear_session()
    one = test_train.run(records, tmp_path / "one", **changes)
    two = on_two_replicas(records, tmp_path / "two", **changes)
    expected, received = (test_train.history(folder) for folder in (one, two))
    np.testing.assert_allclose(received, expected, rtol=1e-4)
    weights = (test_train.load(folder).get_weights() for folder in (one, two))
    for mine, its in zip(*weights, strict=True):
        np.testing.assert_allclose(its, mine, rtol=1e-4, atol=1e-6)


def test_the_fast_recipe_learns_on_two_replicas(records, tmp_path):
    folder = on_two_replicas(records, tmp_path, model=AIRBENCH, optimizer=MUON, epochs=4)
    losses = test_train.history(folder)["loss"]
    assert losses.iloc[-1] < losses.iloc[0]
    assert all(np.isfinite(weights).all() for weights in test_train.load(folder).get_weights())
