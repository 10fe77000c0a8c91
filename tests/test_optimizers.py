"""Every optimizer by name learns, decays only kernels, and scales the loss in float16."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from stages.layers import batch_norm
from stages.running import errors, paramfile
from stages.training import optimizers, schedules
from tests import precisions, rounding

NAMES = ["sgd", "adam", "muon"]
POLICIES = ["float32", "mixed_bfloat16", "mixed_float16"]
OPTIONS = {
    "name": "sgd",
    "learning_rate": 0.1,
    "momentum": 0.9,
    "weight_decay": 0.0,
    "bias_scale": 1.0,
    "head_scale": 1.0,
}


def build(policy="float32", model=None, average=None, **changes):
    options = optimizers.Options.model_validate(OPTIONS | changes)
    schedule = schedules.WarmupThenDecay(options.learning_rate, "constant", 100, 0, 0.0)
    return optimizers.build(options, schedule, policy, model or network(), average)


def network():
    keras.utils.set_random_seed(0)
    layers = [keras.Input((4, 4, 2)), keras.layers.Conv2D(3, 3), batch_norm.BatchNormalization()]
    model = keras.Sequential([*layers, keras.layers.Flatten(), keras.layers.Dense(2)])
    for weight in model.trainable_variables:
        weight.assign(weight + 1.0)
    return model


def apply(optimizer, model, gradient, steps=1):
    """The change of each trainable weight after steps with the same gradient everywhere."""
    variables = model.trainable_variables
    before = [weight.numpy() for weight in variables]
    for _ in range(steps):
        optimizer.apply([tf.fill(weight.shape, gradient) for weight in variables], variables)
    return [(weight.name, weight.numpy() - old) for weight, old in zip(variables, before, strict=True)]


@pytest.mark.parametrize("policy", precisions.ALL)
@pytest.mark.parametrize("weight_decay", [0.0, 0.01])
@pytest.mark.parametrize("name", NAMES)
def test_every_optimizer_moves_the_weights_against_the_gradient(name, weight_decay, policy):
    weight = keras.Variable(1.0)
    optimizer = build(policy, name=name, weight_decay=weight_decay)
    optimizer.apply([optimizer.scale_loss(tf.constant(1.0))], [weight])
    assert float(weight) < 0.99


@pytest.mark.parametrize("policy", ["float32", precisions.FLOAT16])
@pytest.mark.parametrize("name", NAMES)
def test_weight_decay_shrinks_only_kernels(name, policy):
    changes = apply(build(policy, name=name, weight_decay=0.5), network(), gradient=0.0)
    assert [name for name, _ in changes] == ["kernel", "bias", "gamma", "beta", "kernel", "bias"]
    for name, change in changes:
        assert np.all(change < 0) if name == "kernel" else np.all(change == 0), name


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_without_weight_decay_weights_without_gradient_stay(name):
    changes = apply(build(name=name), network(), gradient=0.0)
    assert all(np.all(change == 0) for _, change in changes)


@pytest.mark.parametrize("policy", ["float32", precisions.FLOAT16])
@pytest.mark.parametrize("name", NAMES)
def test_every_optimizer_averages_the_weights_over_its_steps(name, policy):
    model = network()
    variables = model.trainable_variables
    optimizer = build(policy, model, average=0.75, name=name)
    assert optimizers.averages(optimizer) and not optimizers.averages(build(policy, model, name=name))
    steps = []
    for step in range(3):
        optimizer.apply([tf.fill(weight.shape, 0.1 * step) for weight in variables], variables)
        steps.append([weight.numpy() for weight in variables])
    expected = steps[0]
    for now in steps[1:]:
        expected = [0.75 * mean + 0.25 * new for mean, new in zip(expected, now, strict=True)]
    optimizer.finalize_variable_values(variables)
    for weight, mean in zip(variables, expected, strict=True):
        np.testing.assert_allclose(weight.numpy(), mean, rtol=1e-5, atol=1e-6)


def test_sgd_takes_nesterov_steps():
    optimizer = build(momentum=0.5)
    weight = keras.Variable(0.0)
    places = [0.0]
    for _ in range(2):
        optimizer.apply([tf.constant(1.0)], [weight])
        places.append(float(weight))
    np.testing.assert_allclose(np.diff(places), [-0.15, -0.175], rtol=rounding.of_steps(8))


def test_sgd_without_momentum_is_plain():
    weight = keras.Variable(0.0)
    optimizer = build(momentum=0.0)
    for _ in range(3):
        optimizer.apply([tf.constant(1.0)], [weight])
    assert float(weight) == pytest.approx(-0.3)


@pytest.mark.parametrize("weight_decay", [0.0, 0.5])
def test_adam_is_keras_adam_and_with_weight_decay_its_adamw(weight_decay):
    reference = keras.optimizers.AdamW(0.1, weight_decay=weight_decay)
    reference.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    expected = apply(reference, network(), gradient=0.3, steps=3)
    found = apply(build(name="adam", weight_decay=weight_decay), network(), gradient=0.3, steps=3)
    for (_, mine), (_, its) in zip(found, expected, strict=True):
        # Three steps of some ten operations; a change is the difference of weights ten times as large.
        np.testing.assert_allclose(mine, its, rtol=10 * rounding.of_steps(30))


@pytest.mark.parametrize("name", NAMES)
def test_biases_and_the_last_kernel_move_at_their_own_rates(name):
    plain, scaled = network(), network()
    expected = apply(build(name=name, model=plain), plain, gradient=0.3, steps=2)
    optimizer = build(name=name, model=scaled, bias_scale=8.0, head_scale=3.0)
    found = apply(optimizer, scaled, gradient=0.3, steps=2)
    assert [name for name, _ in found] == ["kernel", "bias", "gamma", "beta", "kernel", "bias"]
    for (_, mine), (_, its), scale in zip(found, expected, [1, 8, 8, 8, 3, 8], strict=True):
        # Two steps; what is compared are differences of weights, a hundred times as large.
        np.testing.assert_allclose(mine, scale * its, rtol=100 * rounding.of_steps(20))


@pytest.mark.parametrize("name", NAMES)
def test_only_float16_scales_the_loss(name):
    scaled = [float(build(policy, name=name).scale_loss(tf.constant(1.0))) for policy in POLICIES]
    assert scaled[:2] == [1.0, 1.0]
    assert scaled[2] > 1000
    assert isinstance(build("mixed_float16", name=name), keras.optimizers.LossScaleOptimizer)


@pytest.mark.parametrize("policy", precisions.ALL)
def test_the_learning_rate_can_be_read(policy):
    assert float(build(policy).learning_rate) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "adan"}, "name: expected 'sgd', 'adam' or 'muon', received 'adan'"),
        ({"learning_rate": 0.0}, "learning_rate: expected greater than 0, received 0.0"),
        ({"learning_rate": "1e-3"}, "learning_rate: expected a valid number, received '1e-3'"),
        ({"momentum": 1.0}, "momentum: expected less than 1, received 1.0"),
        ({"weight_decay": -1.0}, "weight_decay: expected greater than or equal to 0, received -1.0"),
        (
            {"nesterov": True},
            "unknown key 'nesterov'; expected one of: bias_scale, head_scale",
        ),
    ],
)
def test_a_wrong_option_is_named(change, message):
    with pytest.raises(errors.BadInput) as raised:
        paramfile.check(optimizers.Options, OPTIONS | change, "train.optimizer")
    assert message in str(raised.value)
