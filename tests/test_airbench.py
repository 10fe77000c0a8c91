"""The airbench network: its size, its whitening and its identity start."""

import tracemalloc

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.models import airbench
from tests import rounding

OPTIONS = airbench.Options(
    widths=[64, 256, 256],
    depth=2,
    activation="relu",
    whiten=True,
    whitening_bias=False,
    identity=True,
    batch_norm_momentum=0.6,
    logit_scale=1 / 9,
    dropout=0.0,
)


def images(count=50, shape=(8, 8, 3)):
    """Neighbouring pixels and channels go together, as in photographs."""
    noise = np.random.default_rng(0).normal(size=(count, *shape))
    return (noise.cumsum(axis=1).cumsum(axis=2) + 0.5 * noise[..., :1]).astype(np.float32)


def test_at_its_own_widths_it_has_airbenchs_parameters():
    model = airbench.build((32, 32, 3), 10, OPTIONS)
    convolutions = 9 * (24 * 64 + 64 * 64 + 64 * 256 + 3 * 256 * 256)
    assert sum(w.shape.num_elements() for w in model.trainable_variables) == (
        convolutions + 2 * (64 + 256 + 256) + 2560
    )
    assert model.get_layer(airbench.WHITENING).output.shape == (None, 31, 31, 24)


def test_a_third_convolution_adds_to_what_the_second_starts_from():
    options = OPTIONS.model_copy(update={"widths": [8, 6], "depth": 3})
    model = airbench.build((8, 8, 3), 2, options)
    shallow = airbench.build((8, 8, 3), 2, options.model_copy(update={"depth": 2}))
    extra = 9 * (8 * 8 + 6 * 6) + 3 * (8 + 6)  # kernels; biases and moving statistics
    assert model.count_params() == shallow.count_params() + extra
    sums = [layer for layer in model.layers if isinstance(layer, keras.layers.Add)]
    assert [layer.output.shape[-1] for layer in sums] == [8, 6]
    inner = keras.Model(model.inputs, [sums[0].output, *sums[0].input])
    total, convolved, pooled = inner.predict(images(2), verbose=0)
    np.testing.assert_allclose(total, convolved + pooled, rtol=1e-5)
    assert pooled.min() == 0 and convolved.min() < 0  # one activated, the other not yet


@settings(max_examples=10, deadline=None)
@given(channels=st.sampled_from([1, 3]))
def test_whitened_patches_are_uncorrelated_with_variance_1(channels):
    shown = images(shape=(8, 8, channels))
    filters = airbench.whitening_filters([shown])
    half = 4 * channels
    assert filters.shape == (2, 2, channels, 2 * half)
    np.testing.assert_array_equal(filters[..., half:], -filters[..., :half])
    responses = np.asarray(keras.ops.conv(shown, filters[..., :half], padding="valid"))
    covariance = np.cov(responses.reshape(-1, half), rowvar=False)
    np.testing.assert_allclose(covariance, np.eye(half), atol=0.05)


@pytest.mark.parametrize("sizes", [[20], [1, 19], [7, 7, 6]])
def test_whitening_does_not_depend_on_the_batches(sizes):
    shown = images(20)
    windows = np.lib.stride_tricks.sliding_window_view(shown, (2, 2), axis=(1, 2))
    patches = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, 12).astype(np.float64)
    expected = np.cov(patches, rowvar=False, bias=True)
    batches = np.split(shown, np.cumsum(sizes)[:-1])
    found = airbench.covariance(airbench.patches(image) for batch in batches for image in batch)
    # float64 has 29 bits more than float32.
    bound = rounding.of_sum(len(patches), np.abs(patches).max() ** 2 * len(patches)) / len(patches) * 2.0**-29
    np.testing.assert_allclose(found, expected, rtol=0, atol=bound)


def test_whitening_needs_the_memory_of_one_images_patches():
    shown = np.random.default_rng(0).normal(size=(40, 64, 64, 3)).astype(np.float32)
    tracemalloc.start()
    airbench.whitening_filters([shown[:20], shown[20:]])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5 * 63 * 63 * 12 * 8  # bytes; a copy or two of them


def test_initialize_fixes_the_first_layer_and_passes_inputs_on():
    model = airbench.build((8, 8, 3), 2, OPTIONS.model_copy(update={"widths": [32, 16]}))
    airbench.initialize(model, [images()], OPTIONS)
    first, *others = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    assert not first.trainable_variables
    np.testing.assert_array_equal(first.get_weights()[0], airbench.whitening_filters([images()]))
    for layer in others:
        passed = min(layer.kernel.shape[2:])
        batch = np.random.default_rng(1).normal(size=(2, 5, 5, layer.kernel.shape[2])).astype(np.float32)
        np.testing.assert_allclose(np.asarray(layer(batch))[..., :passed], batch[..., :passed], atol=1e-6)


def test_each_start_can_be_turned_off():
    plain = OPTIONS.model_copy(update={"whiten": False, "identity": False})
    model = airbench.build((32, 32, 3), 10, plain)
    before = model.get_weights()
    airbench.initialize(model, [images()], plain)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert model.get_layer(airbench.WHITENING).trainable_variables


def test_a_whitening_bias_is_learnt_while_its_filters_stay():
    model = airbench.build((8, 8, 3), 2, OPTIONS.model_copy(update={"widths": [4], "whitening_bias": True}))
    airbench.initialize(model, [images()], OPTIONS)
    first = model.get_layer(airbench.WHITENING)
    assert first.trainable_variables == [first.bias]
    np.testing.assert_array_equal(first.kernel, airbench.whitening_filters([images()]))
    np.testing.assert_array_equal(first.bias, np.zeros(24))


@pytest.mark.parametrize(("widths", "size"), [([4], 3), ([4, 4], 5), ([4, 4, 4], 9)])
def test_the_smallest_images_leave_one_pixel(widths, size):
    options = OPTIONS.model_copy(update={"widths": widths})
    assert airbench.build((size, size, 1), 3, options).output_shape == (None, 3)
