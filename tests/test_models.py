"""Every architecture builds, runs, saves and says when images are too small for it."""

from pathlib import Path

import keras
import numpy as np
import pytest

from stages import train
from stages.models import three_block_cnn
from stages.running import errors
from stages.training import batch_norm

NAMES = sorted(path.stem for path in Path(train.__file__).parent.glob("models/*.py"))

# Options that make each architecture small, and images that are large enough for it then.
OPTIONS = {
    "airbench": {
        "widths": [4, 6],
        "activation": "relu",
        "whiten": True,
        "identity": True,
        "batch_norm_momentum": 0.6,
        "logit_scale": 0.1,
        "dropout": 0.0,
    },
    "three_block_cnn": {"filters": [4, 6], "dropout": 0.5, "batch_norm_momentum": 0.9},
}
IMAGE_SHAPE = (12, 14, 3)

DEFAULT = three_block_cnn.Options(filters=[32, 64, 128], dropout=0.5, batch_norm_momentum=0.9)


@pytest.fixture(autouse=True)
def _same_weights_and_full_precision_again():
    keras.utils.set_random_seed(0)
    yield
    keras.mixed_precision.set_dtype_policy("float32")


def build(name, image_shape=IMAGE_SHAPE, classes=2):
    module, options = train._architecture({"name": name, **OPTIONS[name]})
    return module.build(image_shape, classes, options)


def images(count):
    return np.random.default_rng(0).normal(size=(count, *IMAGE_SHAPE)).astype(np.float32)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
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
def test_a_saved_model_is_loaded_without_this_project_and_gives_the_same(tmp_path, name):
    model = build(name)
    batch_norm.with_stock_layers(model).save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    batch = images(4)
    np.testing.assert_allclose(loaded.predict(batch, verbose=0), model.predict(batch, verbose=0), atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_images_that_are_too_small_are_bad_input(name):
    with pytest.raises(errors.BadInput, match=rf"{name}.*at least \d+x\d+ pixels, received 14x1.*image_size"):
        build(name, image_shape=(14, 1, 3))


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_option_is_bad_input_that_lists_the_known_ones(name):
    with pytest.raises(errors.BadInput, match="unknown key 'no_such_option'; expected one of: "):
        train._architecture({"name": name, **OPTIONS[name], "no_such_option": 1})


def test_the_three_block_network_has_the_parameters_it_says():
    model = three_block_cnn.build((32, 32, 3), 3, DEFAULT)
    assert model.count_params() == 289_443
    assert sum(weight.shape.num_elements() for weight in model.trainable_variables) == 288_995


@pytest.mark.parametrize("blocks", [1, 2, 3, 4])
def test_the_smallest_images_for_some_blocks_are_just_large_enough(blocks):
    options = DEFAULT.model_copy(update={"filters": [2] * blocks})
    size = three_block_cnn.smallest_size(blocks)
    assert three_block_cnn.build((size, size, 1), 2, options).output_shape == (None, 2)
    with pytest.raises(errors.BadInput, match=f"at least {size}x{size} pixels, received {size}x{size - 1}"):
        three_block_cnn.build((size, size - 1, 1), 2, options)


@pytest.mark.parametrize(
    "wrong", [{"filters": []}, {"filters": [0]}, {"dropout": 1.0}, {"batch_norm_momentum": -0.1}]
)
def test_options_out_of_range_are_bad_input(wrong):
    with pytest.raises(errors.BadInput, match=f"train.model.{next(iter(wrong))}"):
        train._architecture({"name": "three_block_cnn", **DEFAULT.model_dump(), **wrong})
