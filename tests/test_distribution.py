"""The train stage in the scope of a tf.distribute strategy of two replicas on the CPU."""

import itertools
import json
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from stages.inputs import tfrecord
from tests import rounding, tiny, training

# Logical devices can only be made before TensorFlow's first operation: in a process of their own. One is for
# all tests, because it takes seconds to start.
TWO_REPLICAS = """
import json, sys
from pathlib import Path

import keras
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
tf.config.set_visible_devices([], "GPU")
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])

from stages import train
from stages.layers import batch_norm, dropout
from stages.running import errors
from stages.training import kernel_penalty, stepping

records, folder, found = Path(sys.argv[1]), Path(sys.argv[2]), {}
for name, params in json.loads(sys.argv[3]).items():
    keras.utils.clear_session()
    own = folder / name
    with strategy.scope():
        try:
            train.train(
                train.Params(**params), records / "train", records / "val", own / "model", own / "history.csv"
            )
        except errors.BadInput as error:
            found[name] = str(error)

with strategy.scope():
    layer = dropout.Dropout(0.5, seed=1)
ones, drawn = tf.ones([1000]), []
for _ in range(2):
    each = strategy.run(tf.function(lambda: layer(ones, training=True)))
    drawn += [kept.numpy().tolist() for kept in strategy.experimental_local_results(each)]
found["dropout"] = drawn

with strategy.scope():
    layer = batch_norm.BatchNormalization(momentum=0.0)
    layer.build((None, 1, 1, 1))
shares = [[1.0, 3.0, 8.0], [0.0]]  # a batch of four
images = strategy.experimental_distribute_values_from_function(
    lambda context: tf.reshape(tf.constant(shares[context.replica_id_in_sync_group]), [-1, 1, 1, 1])
)
strategy.run(tf.function(lambda images: layer(images, training=True)), args=(images,))
found["statistics"] = [moving.numpy().tolist()[0] for moving in layer.non_trainable_variables]

with strategy.scope():
    pixels = keras.Input((2,), dtype="uint8")
    network = keras.Model(pixels, keras.layers.Dense(2)(keras.layers.Rescaling(1 / 255)(pixels)))
    optimizer, penalty = keras.optimizers.SGD(0.1), kernel_penalty.Penalty(0.0, 0.0)
    variables = network.trainable_variables
    trainer = stepping.Trainer(network, network, variables, optimizer, 0.0, penalty, jit=True)
    batch = tf.zeros([4, 2], tf.uint8), tf.constant([0, 1, 1, 1]), tf.constant([0, 1, 2, 3])
    found["compiled"] = trainer.train_epoch([batch], 4, "epoch 1")
(folder / "found.json").write_text(json.dumps(found))
"""
# Shares of a batch are summed apart: in some ten steps of ten operations, each with sums over 64 pixels.
DIFFERENCE = rounding.of_steps(10 * 10) * 64**0.5
SGD = training.PARAMS["optimizer"] | {"name": "sgd", "learning_rate": 0.05}
MUON = SGD | {"name": "muon", "momentum": 0.6, "bias_scale": 10.0}
UNEQUAL = {"dark": 1.0, "light": 3.0}
AIRBENCH = {"name": "airbench", **training.OPTIONS["airbench"], "activation": "silu"}

DENSE = {"model": {"name": "dense", "units": [4], "dropout": 0.0}, "optimizer": SGD}
# Trained with one device and with two, whose shares of a batch differ if it is odd.
EQUAL = {
    "plain": DENSE,
    "penalty": {**DENSE, "l2": 0.1},
    "weights": {**DENSE, "batch_size": 5, "class_weight": UNEQUAL},
    "average": {**DENSE, "average": 0.5},
}
FAST = {"model": AIRBENCH, "optimizer": MUON, "epochs": 4, "batch_size": 7, "calibrate": "none"}
# Params that are refused, and the batch with too few images that they lead to.
REFUSED = {
    "last": ({"batch_size": 23}, "received one of 1, as 24 images are in batches of 23"),
    "every": ({"batch_size": 1}, "received one of 1, as 24 images are in batches of 1;"),
}
CASES = {**EQUAL, "fast": FAST, **{name: changes for name, (changes, _) in REFUSED.items()}}


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    return tiny.build_records(folder, tiny.subset(folder / "arrays"))


@pytest.fixture(scope="module")
def two(records, tmp_path_factory):
    """What two replicas learn of each case, in a folder of its name, and found.json."""
    folder = tmp_path_factory.mktemp("two")
    params = json.dumps({name: training.PARAMS | changes for name, changes in CASES.items()})
    command = [sys.executable, "-c", TWO_REPLICAS, records, folder, params]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr[-3000:]
    assert ended.stderr.count("24 of 24 images") == sum(
        {**training.PARAMS, **CASES[name]}["epochs"] for name in CASES if name not in REFUSED
    )  # both replicas' shares
    return folder


@pytest.fixture
def found(two):
    return json.loads((two / "found.json").read_text())


def val_loss(records, folder):
    """Compute the loss of the saved model on the images it was validated on."""
    val = tfrecord.Split(records / "val")
    ((pixels, labels, _),) = val.batches(val.manifest.count)
    probabilities = training.load(folder)(pixels)
    return float(tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(labels, probabilities)))


@pytest.mark.parametrize("case", EQUAL)
def test_two_replicas_learn_what_one_learns(records, two, tmp_path, case):
    keras.utils.clear_session()
    one = training.run(records, tmp_path, **EQUAL[case])
    expected, received = (training.history(folder) for folder in (one, two / case))
    np.testing.assert_allclose(received, expected, rtol=DIFFERENCE)
    weights = (training.load(folder).get_weights() for folder in (one, two / case))
    for mine, its in zip(*weights, strict=True):
        np.testing.assert_allclose(its, mine, rtol=DIFFERENCE, atol=DIFFERENCE)


def test_the_fast_recipe_learns_on_two_replicas(records, two):
    folder = two / "fast"
    history = training.history(folder)
    assert history["loss"].iloc[-1] < history["loss"].iloc[0]
    assert all(np.isfinite(weights).all() for weights in training.load(folder).get_weights())
    kept = json.loads((folder / "model/training.json").read_text())["kept_epoch"]
    assert val_loss(records, folder) == pytest.approx(history["val_loss"][kept - 1], rel=DIFFERENCE)


@pytest.mark.parametrize("name", REFUSED)
def test_a_batch_without_an_image_per_replica_is_refused(two, found, name):
    assert REFUSED[name][1] in found[name]
    assert not (two / name).exists()


def test_moving_statistics_weigh_replicas_by_their_images(found):
    mean, variance = found["statistics"]
    assert mean == pytest.approx((1 + 3 + 8 + 0) / 4)
    assert variance == pytest.approx((3 * np.var([1, 3, 8]) + 0) / 4)


def test_replicas_drop_apart_from_each_other(found):
    for mine, its in itertools.combinations(np.array(found["dropout"]) > 0, 2):
        assert (mine & its).mean() == pytest.approx(0.25, abs=5 * 0.5 / 1000**0.5)  # five deviations


def test_a_step_that_one_replica_would_compile_runs_on_two(found):
    assert found["compiled"]["loss"] == pytest.approx(np.log(2), rel=0.2)
