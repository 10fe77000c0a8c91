"""Filters are the weights that meet the pixels."""

import keras
import numpy as np
import pytest

from stages.explaining import kernels
from tests import tiny

L = keras.layers


def first_kernels(model):
    found = kernels.first(model)
    assert found is not None
    return found


def test_first_filters_are_the_kernels_of_the_first_convolution():
    first = L.Conv2D(5, (3, 2), name="first")
    found = first_kernels(tiny.nested_model(first, L.Conv2D(4, 3)))
    assert (found.layer, found.values.shape) == ("first", (5, 3, 2, 3))
    np.testing.assert_array_equal(found.values[4], first.get_weights()[0][..., 4])


@pytest.mark.parametrize(
    "kind", [L.DepthwiseConv2D, lambda size, **options: L.SeparableConv2D(9, size, **options)]
)
def test_a_depthwise_filter_has_one_channel(kind):
    layer = kind(3, depth_multiplier=2)
    found = first_kernels(tiny.nested_model(layer))
    assert found.values.shape == (6, 3, 3, 1)
    kernel = layer.get_weights()[0]  # [h, w, inputs, multiplier]
    np.testing.assert_array_equal(found.values[1, ..., 0], kernel[..., 0, 1])
    np.testing.assert_array_equal(found.values[2, ..., 0], kernel[..., 1, 0])


def test_dense_weights_on_the_pixels_take_the_shape_of_the_image():
    dense = L.Dense(4, name="hidden")
    found = first_kernels(tiny.nested_model(L.Flatten(), dense))
    assert (found.layer, found.values.shape) == ("hidden", (4, 8, 8, 3))
    np.testing.assert_array_equal(found.values[1].ravel(), dense.get_weights()[0][:, 1])


def test_a_dense_layer_on_anything_else_is_no_filter():
    assert kernels.first(tiny.nested_model(L.GlobalAveragePooling2D())) is None
