"""Every architecture builds, runs, saves and says when images are too small for it."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from stages.classifier import architecture, stock_layers
from stages.models import dense, simple_cnn, three_block_cnn
from stages.running import errors, plugins
from tests import precisions, rounding
from tests.training import OPTIONS

NAMES = plugins.names("models")

IMAGE_SHAPE = (12, 14, 3)

DEFAULT = three_block_cnn.Options(filters=[32, 64, 128], dropout=0.5, batch_norm_momentum=0.9)


@pytest.fixture(autouse=True)
def _same_weights_and_full_precision_again():
    keras.utils.set_random_seed(0)
    yield
    keras.mixed_precision.set_dtype_policy("float32")


def build(name, image_shape=IMAGE_SHAPE, classes=2):
    return architecture.Architecture({"name": name, **OPTIONS[name]}).build(image_shape, classes)


def images(count):
    return np.random.default_rng(0).normal(size=(count, *IMAGE_SHAPE)).astype(np.float32)


@pytest.mark.parametrize("policy", precisions.ALL)
@pytest.mark.parametrize("name", NAMES)
def test_a_model_gives_float32_logits_for_each_class(name, policy):
    keras.mixed_precision.set_dtype_policy(policy)
    logits = build(name)(images(3), training=False).numpy()
    assert logits.shape == (3, 2)
    assert logits.dtype == np.float32
    assert np.all(np.abs(logits.sum(axis=1) - 1) > 1e-3), "probabilities"
    assert len(np.unique(logits)) == 6


@pytest.mark.parametrize("name", NAMES)
def test_a_model_gives_as_many_logits_as_classes(name):
    assert build(name, classes=7).output_shape == (None, 7)


@pytest.mark.parametrize("name", NAMES)
def test_a_model_loaded_without_this_project_gives_the_same(tmp_path, name):
    model = build(name)
    stock_layers.with_stock_layers(model).save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    batch = images(4)
    found, expected = (each.predict(batch, verbose=0) for each in (loaded, model))
    # The sums are the same, of some thousand terms at most; XLA and Keras round them in other places.
    np.testing.assert_allclose(found, expected, atol=rounding.of_sum(4096, np.abs(expected).max()))


@pytest.mark.parametrize("policy", ["float32", precisions.BFLOAT16])
@pytest.mark.parametrize("name", NAMES)
def test_an_optimizer_step_changes_every_weight_matrix(name, policy):
    keras.mixed_precision.set_dtype_policy(policy)
    model = build(name)
    before = kernels(model)
    with tf.GradientTape() as tape:
        logits = model(images(8), training=False)
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(np.arange(8) % 2, logits))
    variables = model.trainable_variables
    keras.optimizers.SGD(0.01).apply(tape.gradient(loss, variables), variables)
    after = kernels(model)
    assert len(after) > 1
    for old, new in zip(before, after, strict=True):
        assert np.isfinite(new).all() and not np.array_equal(old, new)


def kernels(model):
    return [variable.numpy() for variable in model.trainable_variables if "kernel" in variable.name]


@pytest.mark.parametrize("name", ["simple_cnn", "three_block_cnn"])
def test_images_that_are_too_small_are_bad_input(name):
    with pytest.raises(errors.BadInput, match=rf"{name}.*at least \d+x\d+ pixels, received 14x1.*image_size"):
        build(name, image_shape=(14, 1, 3))


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_option_is_bad_input_that_lists_known_ones(name):
    with pytest.raises(errors.BadInput, match="unknown key 'no_such_option'; expected one of: "):
        architecture.Architecture({"name": name, **OPTIONS[name], "no_such_option": 1})


def test_the_three_block_network_has_the_parameters_it_says():
    model = three_block_cnn.build((32, 32, 3), 3, DEFAULT)
    assert model.count_params() == 289_443
    assert sum(weight.shape.num_elements() for weight in model.trainable_variables) == 288_995


def shapes(model, kind):
    return [layer.output.shape[1:] for layer in model.layers if isinstance(layer, kind)]


def test_the_dense_network_has_the_parameters_it_says():
    model = dense.build((28, 28, 1), 10, dense.Options(units=[128], dropout=0.2))
    assert model.count_params() == 101_770
    assert [layer.count_params() for layer in model.layers if layer.weights] == [
        784 * 128 + 128,
        128 * 10 + 10,
    ]


def test_dense_without_hidden_layers_is_softmax_regression():
    model = dense.build((28, 28, 1), 10, dense.Options(units=[], dropout=0.2))
    assert model.count_params() == 784 * 10 + 10


@pytest.mark.parametrize(
    ("shape", "filters", "convolved", "pooled", "flat", "parameters"),
    [
        ((28, 28, 1), [64, 64], [(26, 26, 64), (11, 11, 64)], [(13, 13, 64), (5, 5, 64)], 1_600, 243_786),
        ((32, 32, 3), [32, 64], [(30, 30, 32), (13, 13, 64)], [(15, 15, 32), (6, 6, 64)], 2_304, 315_722),
    ],
)
def test_the_simple_network_has_its_stated_shapes_and_parameters(
    shape, filters, convolved, pooled, flat, parameters
):
    options = simple_cnn.Options(filters=filters, kernel_size=3, units=[128], dropout=0.25)
    model = simple_cnn.build(shape, 10, options)
    assert shapes(model, keras.layers.Conv2D) == convolved
    assert shapes(model, keras.layers.MaxPooling2D) == pooled
    assert shapes(model, keras.layers.Flatten) == [(flat,)]
    assert shapes(model, keras.layers.Dense) == [(128,), (10,)]
    assert model.count_params() == parameters


@pytest.mark.parametrize("name", ["dense", "simple_cnn"])
def test_dropout_is_after_every_block_with_the_given_rate(name):
    layers = build(name).layers
    rates = [layer.rate for layer in layers if isinstance(layer, keras.layers.Dropout)]
    assert rates == [0.5] * {"dense": 2, "simple_cnn": 3}[name]
    assert isinstance(layers[-2], keras.layers.Dropout)


@pytest.mark.parametrize("kernel_size", [1, 3, 5])
@pytest.mark.parametrize("convolutions", [1, 2, 3])
def test_the_smallest_size_for_some_convolutions_is_just_enough(convolutions, kernel_size):
    options = simple_cnn.Options(filters=[2] * convolutions, kernel_size=kernel_size, units=[], dropout=0.0)
    size = simple_cnn.smallest_size(convolutions, kernel_size)
    model = simple_cnn.build((size, size, 1), 2, options)
    assert shapes(model, keras.layers.Flatten) == [(2,)]
    with pytest.raises(errors.BadInput, match=f"at least {size}x{size} pixels, received {size}x{size - 1}"):
        simple_cnn.build((size, size - 1, 1), 2, options)


@pytest.mark.parametrize("blocks", [1, 2, 3, 4])
def test_the_smallest_size_for_some_blocks_is_just_enough(blocks):
    options = DEFAULT.model_copy(update={"filters": [2] * blocks})
    size = three_block_cnn.smallest_size(blocks)
    assert three_block_cnn.build((size, size, 1), 2, options).output_shape == (None, 2)
    with pytest.raises(errors.BadInput, match=f"at least {size}x{size} pixels, received {size}x{size - 1}"):
        three_block_cnn.build((size, size - 1, 1), 2, options)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("dense", {"units": [0]}),
        ("dense", {"dropout": 1.0}),
        ("simple_cnn", {"filters": []}),
        ("simple_cnn", {"kernel_size": 0}),
        ("simple_cnn", {"units": [1.5]}),
        ("three_block_cnn", {"filters": []}),
        ("three_block_cnn", {"filters": [0]}),
        ("three_block_cnn", {"dropout": 1.0}),
        ("three_block_cnn", {"batch_norm_momentum": -0.1}),
        ("transfer", {"backbone": "ResNet5"}),
        ("transfer", {"image_size": 31}),
        ("transfer", {"dropout": -0.1}),
    ],
)
def test_options_out_of_range_are_bad_input(name, wrong):
    with pytest.raises(errors.BadInput, match=f"train.model.{next(iter(wrong))}"):
        architecture.Architecture({"name": name, **OPTIONS[name], **wrong})
