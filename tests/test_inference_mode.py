"""A backbone in inference mode computes what Keras's layers compute, with the same gradients and weights."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from stages.classifier import stock_layers
from stages.layers import folded, inference_mode
from stages.models import transfer
from tests import precisions, rounding

SHAPE = (9, 9, 3)
# Convolutions and depthwise ones, as in the networks of Keras Applications.
PATTERNS = {
    "1x1": lambda: keras.layers.Conv2D(8, 1, use_bias=False),
    "1x1, strided": lambda: keras.layers.Conv2D(8, 1, strides=2),
    "3x3": lambda: keras.layers.Conv2D(8, 3, padding="same"),
    "3x3, strided": lambda: keras.layers.Conv2D(8, 3, strides=2, use_bias=False),
    "depthwise": lambda: keras.layers.DepthwiseConv2D(3, padding="same", use_bias=False),
    "depthwise, strided": lambda: keras.layers.DepthwiseConv2D(3, strides=2, depth_multiplier=2),
    "dilated": lambda: keras.layers.Conv2D(8, 3, dilation_rate=2),
    "activated": lambda: keras.layers.Conv2D(8, 3, activation="relu"),
    "grouped": lambda: keras.layers.Conv2D(6, 3, groups=3),
}
FOLDED = [name for name in PATTERNS if name not in ("dilated", "activated", "grouped")]
# A gradient by the scale is a sum over 5 x 9 x 9 outputs of sums over 3 x 3 x 3 products. In bfloat16 the
# inputs, the kernel, the outputs and the upstream gradient are rounded.
TOLERANCE = {
    "float32": rounding.of_sum(5 * 81 * 27),
    "mixed_bfloat16": rounding.of_steps(4, precision="bfloat16"),
}


@pytest.fixture(autouse=True)
def _same_weights_and_full_precision_again():
    keras.utils.set_random_seed(0)
    yield
    keras.mixed_precision.set_dtype_policy("float32")


def network(*layers):
    """A model of layers in a row, with weights none of which are at their initial values."""
    inputs = x = keras.Input(SHAPE)
    for layer in layers:
        x = layer(x)
    return with_weights(keras.Model(inputs, x))


def with_weights(model):
    generator = np.random.default_rng(0)
    for weight in model.weights:
        if len(weight.shape) == 1:
            weight.assign(generator.uniform(0.5, 1.5, weight.shape))
    return model


def in_inference(model):
    return inference_mode.InferenceMode(model.input, model.output)


def step(model, variables, training):
    """Outputs, and gradients by the inputs and some variables, as float32."""
    inputs = tf.constant(np.random.default_rng(1).normal(size=(5, *SHAPE)).astype(np.float32))
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = tf.cast(model(inputs, training=training), tf.float32)
        upstream = np.random.default_rng(2).normal(size=outputs.shape).astype(np.float32)
        loss = tf.reduce_sum(outputs * upstream)
    return [outputs, *tape.gradient(loss, [inputs, *(each.value for each in variables)])]


def require_equal(model, precision="float32"):
    """Check outputs and gradients in inference mode against Keras's in float32, whose sums are accurate."""
    expected = step(model, model.trainable_variables, training=False)
    made = keras.models.clone_model(model)
    made.set_weights(model.get_weights())
    for layer in made.layers:
        layer.dtype_policy = keras.DTypePolicy(precision)
    found = step(in_inference(made), made.trainable_variables, training=True)
    for mine, keras_ in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, keras_, rtol=0, atol=TOLERANCE[precision] * np.max(np.abs(keras_)))


@pytest.mark.parametrize("precision", ["float32", precisions.BFLOAT16])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_outputs_and_gradients_are_those_of_keras(pattern, precision):
    require_equal(network(PATTERNS[pattern](), keras.layers.BatchNormalization(epsilon=0.01)), precision)


@pytest.mark.parametrize("options", [{"scale": False}, {"center": False}, {"scale": False, "center": False}])
@pytest.mark.parametrize("pattern", ["1x1", "depthwise, strided"])
def test_a_normalization_may_lack_scale_and_offset(pattern, options):
    require_equal(network(PATTERNS[pattern](), keras.layers.BatchNormalization(**options)))


def test_a_normalization_behind_no_convolution_is_that_of_keras():
    layers = keras.layers.ReLU(), keras.layers.BatchNormalization(), keras.layers.BatchNormalization()
    model = network(*layers)
    require_equal(model)
    others = inference_mode.replacements(model)
    assert [type(others[layer]) for layer in layers[1:]] == [inference_mode.Fused] * 2


@pytest.mark.parametrize("pattern", PATTERNS)
def test_plain_convolutions_are_folded(pattern):
    convolution, norm = PATTERNS[pattern](), keras.layers.BatchNormalization()
    others = inference_mode.replacements(network(convolution, norm))
    kinds = {layer: type(other) for layer, other in others.items()}
    if pattern in FOLDED:
        assert kinds == {convolution: folded.Folded, norm: type(None)}
    else:
        assert kinds == {norm: inference_mode.Fused}


def branched(uses):
    """A convolution with a batch normalization behind it whose output has another use."""
    inputs = keras.Input(SHAPE)
    before = keras.layers.Conv2D(3, 1)
    norm = keras.layers.BatchNormalization()
    x = before(inputs)
    outputs = {
        "output": lambda: [norm(x), x],
        "added": lambda: keras.layers.Add()([norm(x), x]),
        "twice": lambda: keras.layers.Add()([norm(x), before(keras.layers.ReLU()(inputs))]),
    }[uses]()
    return keras.Model(inputs, outputs)


@pytest.mark.parametrize("uses", ["output", "added", "twice"])
def test_a_convolution_with_another_use_is_not_folded(uses):
    model = with_weights(branched(uses))
    inputs = np.random.default_rng(0).normal(size=(2, *SHAPE)).astype(np.float32)
    expected = keras.tree.flatten(model(inputs, training=False))
    for mine, keras_ in zip(keras.tree.flatten(in_inference(model)(inputs)), expected, strict=True):
        np.testing.assert_allclose(mine, keras_, atol=rounding.of_sum(3, 20))
    assert [type(each) for each in inference_mode.replacements(model).values()] == [inference_mode.Fused]


def test_statistics_stay_and_dropout_does_nothing():
    model = network(PATTERNS["1x1"](), keras.layers.BatchNormalization(), keras.layers.Dropout(0.5))
    before = model.get_weights()
    require_equal(model)
    for found, expected in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_layers_weights_and_stock_copies_stay_as_they_are():
    model = network(PATTERNS["1x1"](), keras.layers.BatchNormalization())
    made = in_inference(model)
    made(np.zeros((1, *SHAPE), np.float32))
    assert made.layers == model.layers
    assert [each.path for each in made.variables] == [each.path for each in model.variables]
    copy = stock_layers.with_stock_layers(made)
    assert [type(layer) for layer in copy.layers] == [type(layer) for layer in model.layers]
    inputs = np.random.default_rng(0).normal(size=(4, *SHAPE)).astype(np.float32)
    for training in (False, True):
        np.testing.assert_array_equal(copy(inputs, training=training), model(inputs, training=training))


@pytest.mark.parametrize("name", transfer.BACKBONES)
def test_no_normalization_of_a_backbone_is_left_to_keras(name):
    model = transfer.BACKBONES[name].create(include_top=False, weights=None, input_shape=(32, 32, 3))
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    others = inference_mode.replacements(model)
    assert set(norms) <= set(others)
    fused = [layer for layer in norms if others[layer] is not None]
    assert len(fused) == (17 if name == "ResNet50V2" else 0)


def test_on_a_gpu_the_gradients_are_tensorflows(monkeypatch):
    model = network(PATTERNS["1x1"](), keras.layers.BatchNormalization())
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: ["GPU:0"])
    monkeypatch.setattr(folded, "_gradients", None)
    require_equal(model)
