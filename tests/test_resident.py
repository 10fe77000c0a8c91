"""Epochs in a device's memory teach what the same epochs teach batch by batch; here compiled for the CPU."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from stages import train
from stages.classifier import architecture, assembly
from stages.inputs import tfrecord
from stages.layers import dropout
from stages.running import errors, paramfile
from stages.training import execution, kernel_penalty, optimizers, resident, schedules
from tests import precisions, rounding, tiny, training

COUNT, VIEWS = 24, 2  # of tiny's training images
SGD = training.PARAMS["optimizer"] | {"name": "sgd", "learning_rate": 0.05}
MUON = SGD | {"name": "muon", "momentum": 0.6, "bias_scale": 10.0, "head_scale": 3.0}
AIRBENCH = {"name": "airbench", **training.OPTIONS["airbench"], "activation": "silu"}
STOCK_POOLING = training.TRANSFER  # VGG16
THREE_BLOCK = training.PARAMS["model"] | {"dropout": 0.0}
# XLA fuses operations, which moves their roundings. In the six to eight steps of these trainings some twenty
# operations follow each other, and each may pass on the differences of the one before.
ROUNDINGS = 8 * 20
DIFFERENCE = {
    "float32": rounding.of_steps(ROUNDINGS),
    # The weights stay in float32: only a step's own operations are rounded so coarsely.
    "mixed_float16": rounding.of_steps(20, precision="float16"),
}


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    return tiny.build_records(folder, tiny.subset(folder / "arrays"), views=VIEWS)


def views(records, epochs=9, seed=0):
    return resident.Views(tfrecord.Split(records / "train"), epochs, seed, "cpu")


def trainer(batch_size=5):
    pixels = keras.Input((8, 8, 1), dtype="uint8")
    values = keras.layers.Flatten()(keras.layers.Rescaling(1 / 127.5, offset=-1)(pixels))
    kept = dropout.Dropout(0.25, seed=3)(values)
    network = keras.Model(pixels, keras.layers.Dense(2, kernel_initializer="zeros")(kept))
    optimizer = keras.optimizers.SGD(0.01, momentum=0.9)
    common = network, network, network.trainable_variables, optimizer, 0.0, kernel_penalty.Penalty(0.0, 0.0)
    return resident.Trainer(*common, batch_size=batch_size, jit=True)


def streamed(records, epoch):
    ((images, labels, _),) = tfrecord.Split(records / "train").batches(COUNT, [epoch])
    return images.numpy(), labels.numpy()


def taken(epoch):
    order = epoch.order.numpy()
    return epoch.images.numpy()[order], epoch.labels.numpy()[order]


def test_the_first_round_takes_each_view_in_its_order(records):
    held = views(records)
    for number in range(VIEWS):
        for mine, its in zip(taken(held.epoch(number)), streamed(records, number), strict=True):
            np.testing.assert_array_equal(mine, its)


def test_later_rounds_take_the_same_views_in_seeded_orders(records):
    held = views(records, seed=4)
    orders = [held.epoch(number).order.numpy().tolist() for number in range(2, 8)]
    assert len({tuple(order) for order in orders}) == 6
    assert all(sorted(order) == list(range(COUNT)) for order in orders)
    assert views(records, seed=4).epoch(2).order.numpy().tolist() == orders[0]
    assert views(records, seed=5).epoch(2).order.numpy().tolist() != orders[0]
    np.testing.assert_array_equal(held.epoch(5).images, held.epoch(1).images)


def test_views_that_no_epoch_reads_take_no_memory(records):
    split = tfrecord.Split(records / "train")
    assert len(views(records, epochs=1).views) == 1
    assert [resident.size(split, epochs) for epochs in (1, 2, 3)] == [COUNT * 64, COUNT * 128, COUNT * 128]


@pytest.mark.parametrize("batch_size", [5, 8, 24, 99])
def test_compilation_trains_nothing_and_leaves_nothing_to_trace(records, batch_size):
    one, epoch = trainer(batch_size), views(records).epoch(0)
    state = [*one.network.variables, *one.optimizer.variables]
    assert sum("seed" in variable.path for variable in state) == 1
    before = [variable.numpy() for variable in state]
    one.compile(epoch)
    for old, variable in zip(before, state, strict=True):
        np.testing.assert_array_equal(variable, old)
    traced = one.train_batches.experimental_get_tracing_count()
    one.train_epoch(epoch, COUNT, "epoch 1")
    assert int(one.optimizer.iterations) == -(-COUNT // batch_size)
    assert one.train_batches.experimental_get_tracing_count() == traced


def test_an_epoch_in_many_pieces_teaches_what_one_piece_does(records, monkeypatch):
    epoch = views(records).epoch(0)
    whole, parted = trainer(), trainer()
    expected = whole.train_epoch(epoch, COUNT, "epoch 1")
    monkeypatch.setattr(resident, "STEPS", 2)
    found = parted.train_epoch(epoch, COUNT, "epoch 1")
    assert found == pytest.approx(expected, rel=rounding.of_steps(ROUNDINGS))
    for mine, its in zip(whole.network.get_weights(), parted.network.get_weights(), strict=True):
        np.testing.assert_allclose(mine, its, rtol=rounding.of_steps(ROUNDINGS))


def test_a_loss_that_is_not_finite_is_bad_input(records):
    one = trainer()
    one.optimizer.learning_rate = float("inf")
    with pytest.raises(errors.Diverged, match="finite loss, received nan in epoch 1, after"):
        one.train_epoch(views(records).epoch(0), COUNT, "epoch 1")


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(AIRBENCH, id="airbench", marks=pytest.mark.long),
        pytest.param(THREE_BLOCK, id="three_block_cnn"),
    ],
)
def test_a_compiled_step_teaches_what_single_operations_do(records, model):
    params = paramfile.check(train.Params, training.PARAMS | {"model": model, "optimizer": SGD}, "train")
    split = tfrecord.Split(records / "train")
    learnt = []
    for how in ("stepwise", "compiled"):
        keras.utils.clear_session()
        keras.utils.set_random_seed(0)
        network = architecture.Architecture(model).build(split.manifest.image_shape, 2)
        classifier = assembly.assemble(
            network, split.manifest.image_shape, split.manifest.normalization, looks=2
        )
        kind, penalty = execution.trainer(how, params.batch_size), kernel_penalty.Penalty(0.0, 0.0)
        rates = schedules.WarmupThenDecay(0.05, "cosine", steps=6, warmup_steps=3, final_fraction=0.0)
        optimizer = optimizers.build(params.optimizer, rates, "float32", network)
        variables = network.trainable_variables
        one = kind(classifier.logits, classifier.tested, variables, optimizer, 0.0, penalty)
        # 9, 9 and 6 images: over 3 of them, normalizing 1x1 maps makes a rounding a thousand times larger.
        batches = execution.streamed(split, 9, range(2))
        rows = [one.train_epoch(batches(number), COUNT, "epoch") for number in range(2)]
        rows.append(one.test(execution.streamed(split, 9, [0])(0))[0])
        learnt.append([value for row in rows for value in row.values()])
    np.testing.assert_allclose(learnt[1], learnt[0], rtol=DIFFERENCE["float32"])


@pytest.mark.parametrize(
    ("model", "optimizer", "changes"),
    [
        pytest.param(AIRBENCH, MUON, {"batch_size": 7, "label_smoothing": 0.2}, marks=pytest.mark.long),
        (THREE_BLOCK, SGD, {"l2": 0.01, "class_weight": {"dark": 1.0, "light": 3.0}}),
        pytest.param(
            THREE_BLOCK,
            SGD,
            {"precision": "mixed_float16"},
            marks=[precisions.needs_half, pytest.mark.long],
        ),
    ],
)
def test_the_stage_learns_the_same_from_the_devices_memory(records, tmp_path, model, optimizer, changes):
    changes = {"precision": "float32", "model": model, "optimizer": optimizer, "epochs": VIEWS, **changes}
    histories, weights = [], []
    for is_resident in (False, True):
        keras.utils.clear_session()
        folder = training.run(records, tmp_path / str(is_resident), resident=is_resident, **changes)
        histories.append(training.history(folder))
        weights.append(training.load(folder).get_weights())
    tolerance = DIFFERENCE[changes["precision"]]
    np.testing.assert_allclose(histories[1], histories[0], rtol=tolerance)
    for mine, its in zip(*weights, strict=True):
        np.testing.assert_allclose(mine, its, rtol=tolerance, atol=tolerance)
    assert histories[0]["loss"].iloc[-1] < (1 - 5 * tolerance) * histories[0]["loss"].iloc[0]


def test_training_goes_on_after_the_views_without_validation(tmp_path):
    records = tiny.build_records(tmp_path, tiny.subset(tmp_path / "arrays", val=0))
    losses = training.history(training.run(records, tmp_path / "out", resident=True, epochs=9))["loss"]
    assert len(losses) == 9 and losses.iloc[-1] < losses.iloc[0]


def chosen(records, device, **changes):
    """How the steps of a training run on a device."""
    params = training.PARAMS | changes
    network = architecture.Architecture(params["model"]).build([8, 8, 3], 2)
    split = tfrecord.Split(records / "train")
    wanted, deterministic = params["resident"], params["deterministic"]
    return execution.choose(wanted, deterministic, device, network, split, params["epochs"])


def test_in_the_scope_of_a_strategy_images_are_streamed(records):
    with tf.distribute.OneDeviceStrategy("cpu:0").scope():
        assert chosen(records, "gpu") == "compiled"
        with pytest.raises(errors.BadInput, match=r"a tf\.distribute strategy is in charge; set it to auto"):
            chosen(records, "gpu", resident=True)


def test_every_trainer_is_prepared_once_and_the_seconds_are_said(records, capsys):
    first, second = trainer(), trainer()
    split = tfrecord.Split(records / "train")
    epoch = resident.prepare([first, first, second], split, 3, 0, "cpu")
    assert re.match(r"prepared in \d+\.\d s: images to the device .*, compilation", capsys.readouterr().out)
    for one in (first, second):
        traced = one.train_batches.experimental_get_tracing_count()
        one.train_epoch(epoch(2), COUNT, "epoch 3")
        assert one.train_batches.experimental_get_tracing_count() == traced == 2  # batches, and the last


def test_a_max_pooling_that_xla_refuses_is_bad_input(tmp_path):
    records = tiny.build_records(tmp_path, tiny.subset(tmp_path / "arrays"), normalize="none")
    with pytest.raises(errors.BadInput, match=r"transfer has a max-pooling .* set it to auto"):
        training.run(records, tmp_path / "out", model=training.TRANSFER, resident=True)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("device", "model", "changes", "expected"),
    [
        ("cpu", THREE_BLOCK, {}, "stepwise"),
        ("gpu", THREE_BLOCK, {}, "resident"),
        ("gpu", THREE_BLOCK, {"resident": False}, "compiled"),
        ("gpu", THREE_BLOCK, {"epochs": 10**9}, "resident"),  # more epochs than views take no more memory
        ("gpu", STOCK_POOLING, {}, "stepwise"),
        ("gpu", STOCK_POOLING, {"deterministic": False}, "resident"),
        ("gpu", STOCK_POOLING, {"deterministic": False, "resident": False}, "compiled"),
    ],
)
def test_how_steps_run_depends_on_the_device_and_the_model(records, device, model, changes, expected):
    assert chosen(records, device, model=model, **changes) == expected


def test_images_that_do_not_fit_are_streamed(records, monkeypatch):
    size = resident.size(tfrecord.Split(records / "train"), training.PARAMS["epochs"])
    for largest, expected in ((size, "resident"), (size - 1, "compiled")):
        monkeypatch.setattr(resident, "LARGEST", largest)
        assert chosen(records, "gpu") == expected
