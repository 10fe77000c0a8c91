"""The loop learns, keeps the best weights, stops in time and refuses to go on without a loss."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from stages.running import errors
from stages.training import kernel_penalty, loop, stepping

IMAGES, BATCH = 32, 8

MEASURES = ["loss", "accuracy", "above_half_precision", "above_half_recall"]


def trainer(learning_rate=0.1, label_smoothing=0.0, l1=0.0, l2=0.0, class_weights=None):
    """A linear classifier of images of 2x2 pixels; where it starts, it calls every image dark."""
    pixels = keras.Input((2, 2, 1), dtype="uint8")
    values = keras.layers.Flatten()(keras.layers.Rescaling(1 / 127.5, offset=-1)(pixels))
    dense = keras.layers.Dense(2, kernel_initializer="zeros")
    network = keras.Model(pixels, dense(values))
    dense.bias.assign([1e-3, 0.0])
    optimizer, penalty = keras.optimizers.SGD(learning_rate), kernel_penalty.Penalty(l1, l2)
    variables = network.trainable_variables
    common = network, network, variables, optimizer, label_smoothing, penalty
    return stepping.Trainer(*common, jit=False, class_weights=class_weights)


def batches(flipped=False):
    """Dark images labelled 0 and light ones labelled 1, or the other way around."""
    labels = np.arange(IMAGES) % 2
    noise = np.random.default_rng(0).integers(0, 60, (IMAGES, 2, 2, 1))
    images = (noise + 190 * labels[:, None, None, None]).astype(np.uint8)
    if flipped:
        labels = 1 - labels
    for first in range(0, IMAGES, BATCH):
        block = slice(first, first + BATCH)
        yield tuple(map(tf.constant, (images[block], labels[block].astype(np.int32), np.arange(BATCH))))


def fit(
    trainer, epochs, train=lambda epoch: batches(), val=lambda epoch: batches(), patience=None, images=IMAGES
):
    choice = loop.Choice("accuracy", patience)
    return loop.fit([trainer] * epochs, train, images, val, choice).history


def worse_from(epoch):
    """Training data that is right before an epoch, counted from 0, and teaches the opposite from then."""
    return lambda current: batches(flipped=current >= epoch)


def test_the_loss_falls_and_the_classes_are_told_apart():
    history = fit(trainer(), epochs=5)
    losses = [row["loss"] for row in history]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.6 * losses[0]
    assert history[-1]["val_accuracy"] == 1.0


def test_the_history_has_a_row_for_each_epoch():
    history = fit(trainer(learning_rate=0.25), epochs=3)
    assert [row["epoch"] for row in history] == [1, 2, 3]
    assert [row["learning_rate"] for row in history] == [0.25] * 3
    validated = [f"val_{name}" for name in MEASURES]
    assert list(history[0]) == ["epoch", "learning_rate", *MEASURES, *validated, "seconds"]


def test_each_epoch_is_asked_for_by_its_number_from_0():
    asked = []

    def train(epoch):
        asked.append(epoch)
        return batches()

    fit(trainer(), epochs=3, train=train)
    assert asked == [0, 1, 2]


def test_losses_and_accuracies_are_means_over_images_not_batches():
    uneven = list(batches())
    labels = tf.constant([1] * 5, tf.int32)
    uneven.append((tf.zeros([5, 2, 2, 1], tf.uint8), labels, labels))
    found = trainer().test(uneven)[0]
    network = trainer().network
    images, labels, _ = (np.concatenate(part) for part in zip(*uneven, strict=True))
    logits = network.predict(images, verbose=0)
    losses = keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
    assert found["val_loss"] == pytest.approx(float(np.mean(losses)), rel=1e-5)
    assert found["val_accuracy"] == pytest.approx(np.mean(logits.argmax(axis=1) == labels))


def test_precision_and_recall_are_those_of_keras():
    unsure = trainer()
    kernel = np.random.default_rng(1).normal(size=(4, 2), scale=0.3)
    unsure.network.set_weights([kernel, np.array([0.0, -0.2])])
    found = unsure.test(batches())[0]
    images, labels, _ = (np.concatenate(part) for part in zip(*batches(), strict=True))
    probabilities = keras.ops.softmax(unsure.network.predict(images, verbose=0))
    for name, metric in {
        "val_above_half_precision": keras.metrics.Precision(),
        "val_above_half_recall": keras.metrics.Recall(),
    }.items():
        metric.update_state(np.eye(2)[labels], probabilities)
        assert found[name] == pytest.approx(float(metric.result()))


def test_a_network_that_is_never_certain_has_precision_0():
    unsure = trainer()
    unsure.network.set_weights([np.zeros((4, 2)), np.zeros(2)])
    found = unsure.test(batches())[0]
    assert (found["val_above_half_precision"], found["val_above_half_recall"]) == (0.0, 0.0)


@pytest.mark.parametrize(("l1", "l2", "expected"), [(0.5, 0.0, 5.0), (0.0, 0.5, 15.0), (0.5, 0.5, 20.0)])
def test_a_penalty_counts_only_kernels(l1, l2, expected):
    kernel, bias = keras.Variable([[1.0, -2.0], [-3.0, 4.0]]), keras.Variable([100.0, 100.0])
    assert float(kernel_penalty.Penalty(l1, l2)([kernel, bias])) == expected


@pytest.mark.parametrize("penalty", [{"l1": 0.5}, {"l2": 0.5}])
def test_a_penalty_shrinks_kernels_and_is_not_in_the_loss_shown(penalty):
    plain, penalized = trainer(), trainer(**penalty)
    kernel = np.array([[-2.0, 2.0]] * 4)
    for each in (plain, penalized):
        each.network.set_weights([kernel, np.zeros(2)])
    first = [next(batches())]
    losses = [each.train_epoch(first, BATCH, "epoch")["loss"] for each in (plain, penalized)]
    assert losses[0] == losses[1]
    norms = [np.abs(each.network.get_weights()[0]).sum() for each in (plain, penalized)]
    assert norms[1] < norms[0] - 0.1


@pytest.mark.parametrize("label_smoothing", [0.0, 0.2])
def test_an_image_of_three_times_the_weight_teaches_as_three_images(label_smoothing):
    images, labels, positions = (np.concatenate(part) for part in zip(*batches(), strict=True))
    few = np.arange(20)[np.arange(20) % 5 > 0]  # 16 images, 10 of them light
    thrice = np.concatenate([few, *2 * [few[labels[few] == 1]]])
    weights = np.array([1, 3], np.float32) * len(few) / len(thrice)  # a mean of 1
    learnt, losses = [], []
    for chosen, class_weights in ((few, weights), (thrice, None), (few, None)):
        one = trainer(label_smoothing=label_smoothing, class_weights=class_weights)
        batch = tuple(tf.constant(part[chosen]) for part in (images, labels, positions))
        losses.append(one.train_epoch([batch], len(chosen), "epoch")["loss"])
        learnt.append(np.concatenate([part.ravel() for part in one.network.get_weights()]))
    np.testing.assert_allclose(learnt[0], learnt[1], rtol=1e-5, atol=1e-6)
    assert np.abs(learnt[0] - learnt[2]).max() > 1e-3
    assert losses[0] == losses[2] != losses[1]  # shown without weights


def test_each_epoch_trains_only_the_variables_of_its_trainer():
    both = trainer()
    kernel, bias = both.network.trainable_variables
    penalty = kernel_penalty.Penalty(0.0, 0.0)
    of_bias = stepping.Trainer(
        both.network, both.network, [bias], keras.optimizers.SGD(0.1), 0.0, penalty, jit=False
    )
    seen = []

    def val(epoch):
        seen.append((kernel.numpy().any(), bias.numpy()[0]))
        return batches()

    loop.fit([of_bias, both], lambda epoch: batches(flipped=True), IMAGES, val, loop.Choice())
    assert [bool(moved) for moved, _ in seen] == [False, True]
    assert seen[0][1] != pytest.approx(1e-3)


def test_label_smoothing_keeps_the_loss_of_sure_predictions_up():
    losses = []
    for label_smoothing in (0.0, 0.2):
        smoothed = trainer(label_smoothing=label_smoothing)
        smoothed.network.set_weights([np.array([[-9.0, 9.0]] * 4), np.zeros(2)])
        losses.append(smoothed.test(batches())[0]["val_loss"])
    assert losses[0] < 0.01
    assert losses[1] > 1


def test_the_weights_of_the_best_epoch_are_kept():
    best = trainer()
    history = fit(best, epochs=6, train=worse_from(3))
    accuracies = [row["val_accuracy"] for row in history]
    assert accuracies[2] == 1.0
    assert accuracies[-1] == 0.0
    assert best.test(batches())[0]["val_accuracy"] == 1.0


def test_of_equally_accurate_epochs_the_least_loss_one_is_kept():
    one = trainer()
    history = fit(one, epochs=4, train=worse_from(3))
    assert [row["val_accuracy"] for row in history[:3]] == [1.0] * 3
    losses = [row["val_loss"] for row in history]
    assert losses[2] == min(losses)
    assert one.test(batches())[0]["val_loss"] == pytest.approx(losses[2])


def test_a_falling_loss_at_equal_accuracy_is_worth_waiting_for():
    history = fit(trainer(), epochs=6, patience=1)
    assert [row["val_accuracy"] for row in history] == [1.0] * 6


def test_patience_is_counted_in_each_phase():
    head, taught = trainer(), []

    def train(epoch):
        taught.append(epoch)
        return batches(flipped=epoch > 0)

    loop.fit(
        [head] * 5 + [head_again(head)] * 4, train, IMAGES, lambda epoch: batches(), loop.Choice(patience=2)
    )
    assert taught == [0, 1, 2, 5, 6]  # two worse epochs end each phase


def head_again(first):
    """Another trainer of the same network, as of a second phase."""
    optimizer, penalty = keras.optimizers.SGD(0.1), kernel_penalty.Penalty(0.0, 0.0)
    variables = first.network.trainable_variables
    return stepping.Trainer(first.network, first.network, variables, optimizer, 0.0, penalty, jit=False)


def test_an_epoch_of_another_number_of_images_is_bad_input():
    with pytest.raises(errors.BadInput, match="expected 33 images in epoch 1/1, received 32"):
        loop.fit([trainer()], lambda epoch: batches(), IMAGES + 1, None, loop.Choice())


def test_training_stops_after_patience_without_better_accuracy(capsys):
    history = fit(trainer(), epochs=20, train=worse_from(1), patience=3)
    assert len(history) == 4
    assert "stopping: no better validation accuracy for 3 epochs" in capsys.readouterr().out


def test_without_patience_training_goes_on_to_the_end():
    assert len(fit(trainer(), epochs=7, train=worse_from(1))) == 7


def test_without_validation_the_last_weights_are_kept():
    last = trainer()
    history = fit(last, epochs=6, train=worse_from(3), val=None, patience=1)
    assert [set(row) for row in history] == [{"epoch", "learning_rate", "seconds", *MEASURES}] * 6
    assert last.test(batches())[0]["val_accuracy"] == 0.0


def test_a_loss_that_is_not_finite_is_bad_input():
    with pytest.raises(
        errors.Diverged, match=r"finite loss, received nan in epoch 1/2.*lower train\.optimizer"
    ):
        fit(trainer(learning_rate=float("inf")), epochs=2)


def test_a_validation_loss_that_is_not_finite_is_bad_input():
    one_batch = list(batches())[:1]
    with pytest.raises(errors.Diverged, match="finite loss"):
        fit(trainer(learning_rate=float("inf")), epochs=1, train=lambda epoch: one_batch, images=BATCH)


def test_progress_is_reported(capsys):
    fit(trainer(), epochs=2)
    captured = capsys.readouterr()
    assert "epoch 2/2: validation accuracy 1.0000, " in captured.out
    assert re.search(r"trained 2 epochs in \d+\.\d\d s\n", captured.out)
    assert "epoch 1/2: 32" in captured.err


def test_without_validation_a_step_that_ruins_weights_is_refused():
    one_batch = list(batches())[:1]
    with pytest.raises(errors.Diverged, match="finite weights"):
        fit(
            trainer(learning_rate=float("inf")),
            epochs=1,
            train=lambda epoch: one_batch,
            val=None,
            images=BATCH,
        )


def chosen(one, epochs, train=lambda epoch: batches(), val=lambda epoch: batches(), **choice):
    """What a training leaves whose weights are chosen in some way."""
    return loop.fit([one] * epochs, train, IMAGES, val, loop.Choice(**choice))


def few(count, epoch):
    """The first validation images, of which some have another label in the last of three epochs."""
    images, labels, positions = (np.concatenate(part) for part in zip(*batches(), strict=True))
    labels = np.where((np.arange(len(labels)) < count) & (epoch == 2), 1 - labels, labels)
    return [tuple(map(tf.constant, (images[:10], labels[:10], positions[:10])))]


@pytest.mark.parametrize(("wrong", "kept"), [(1, 3), (2, 3), (6, 2), (10, 2)])
def test_of_ten_images_it_takes_more_than_chance_to_keep_an_earlier_epoch(wrong, kept, capsys):
    fitted = chosen(trainer(), 3, val=lambda epoch: few(wrong, epoch))
    assert fitted.history[-1]["val_accuracy"] == pytest.approx(1 - wrong / 10)
    assert fitted.kept_epoch == kept
    said = capsys.readouterr().out
    assert ("keeping the weights of epoch 2" in said) == (kept == 2)
    assert ("keeping the last weights: epoch 2 has a better validation accuracy by chance" in said) == (
        kept == 3
    )


def test_the_last_weights_are_those_of_the_last_epoch():
    one, after = trainer(), []

    def val(epoch):
        after.append(one.network.get_weights())
        return few(1, epoch)

    chosen(one, 3, val=val)
    assert all(map(np.array_equal, one.network.get_weights(), after[-1]))


def test_the_loss_chooses_if_it_is_asked_for():
    fitted = chosen(trainer(), 6, train=worse_from(3), measure="loss")
    losses = [row["val_loss"] for row in fitted.history]
    assert fitted.kept_epoch == 3 == np.argmin(losses) + 1
    assert "val_balanced_accuracy" not in fitted.history[0]


def test_the_loss_ends_a_phase_and_is_named(capsys):
    fitted = chosen(trainer(), 20, train=worse_from(2), measure="loss", patience=2)
    assert len(fitted.history) == 4
    said = capsys.readouterr().out
    assert f"epoch 1/20: validation loss {fitted.history[0]['val_loss']:.4f}, " in said
    assert "stopping: no better validation loss for 2 epochs" in said


def unequal(epoch):
    """Twenty-eight images of class 0 and four of class 1, whose labels do not follow from the images."""
    labels = np.array([0] * 28 + [1] * 4, np.int32)
    return [(tf.constant(np.zeros((32, 2, 2, 1), np.uint8)), tf.constant(labels), tf.range(32))]


def test_the_balanced_accuracy_counts_classes_and_not_images():
    fitted = chosen(trainer(), 1, val=unequal, measure="balanced_accuracy")
    assert fitted.history[0]["val_accuracy"] in (28 / 32, 4 / 32)
    assert fitted.history[0]["val_balanced_accuracy"] == pytest.approx(0.5)


def averaging(momentum):
    one = trainer()
    optimizer = keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=momentum)
    variables = one.network.trainable_variables
    return stepping.Trainer(one.network, one.network, variables, optimizer, 0.0, one.penalty, jit=False)


@pytest.mark.parametrize("val", [None, lambda epoch: batches()])
def test_averaged_weights_are_validated_and_kept_and_the_training_goes_on_without_them(val):
    plain, one = trainer(), averaging(0.75)
    weights = []
    for _ in range(3):
        for batch in batches():
            plain.train_epoch([batch], BATCH, "step")
            weights.append(plain.network.get_weights())
    average = weights[0]
    for each in weights[1:]:
        average = [0.75 * old + 0.25 * new for old, new in zip(average, each, strict=True)]
    fitted = chosen(one, 3, val=val)
    for found, expected in zip(one.network.get_weights(), average, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)
    if val is not None:
        assert fitted.history[-1]["val_loss"] == pytest.approx(one.test(batches())[0]["val_loss"], rel=1e-6)
