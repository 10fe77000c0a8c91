"""Layers of Keras that get PyTorch's tensors, each kind against its formula."""

import keras
import numpy as np
import pytest

from stages.backbones import torch_layers
from stages.running import errors

L = keras.layers


def model(*layers, shape=(3, 3, 2)):
    return keras.Sequential([keras.Input(shape), *layers])


def normal(*shape):
    return np.random.default_rng(len(shape)).normal(size=shape).astype(np.float32)


def assign(model, tensors):
    torch_layers.assign(model, tensors, lambda name: f"net.{name}")


def refusal(model, tensors):
    with pytest.raises(errors.BadInput) as caught:
        assign(model, tensors)
    return str(caught.value)


def test_a_convolution_has_outputs_first_in_pytorch():
    weight, bias, images = normal(4, 2, 3, 3), normal(4), normal(1, 3, 3, 2)
    convolution = model(L.Conv2D(4, 3, name="a"))
    assign(convolution, {"net.a.weight": weight, "net.a.bias": bias})
    expected = np.einsum("nhwi,oihw->no", images, weight) + bias
    np.testing.assert_allclose(convolution(images)[:, 0, 0], expected, atol=1e-5)


def test_a_depthwise_convolution_has_a_kernel_per_channel():
    weight, images = normal(2, 1, 3, 3), normal(1, 3, 3, 2)
    convolution = model(L.DepthwiseConv2D(3, use_bias=False, name="a"))
    assign(convolution, {"net.a.weight": weight})
    expected = np.einsum("nhwc,cohw->nc", images, weight)
    np.testing.assert_allclose(convolution(images)[:, 0, 0], expected, atol=1e-5)


def test_batch_normalization_has_four_tensors():
    scale, shift, mean, variance = [1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]
    parts = {"weight": scale, "bias": shift, "running_mean": mean, "running_var": variance}
    normalization, images = model(L.BatchNormalization(epsilon=0.5, name="a")), normal(1, 3, 3, 2)
    assign(normalization, {f"net.a.{name}": np.array(values) for name, values in parts.items()})
    expected = (images - mean) / np.sqrt(np.add(variance, 0.5)) * scale + shift
    np.testing.assert_allclose(normalization(images, training=False), expected, atol=1e-5)


def test_a_dense_layer_has_outputs_first_in_pytorch():
    weight, bias, rows = normal(4, 2), normal(4), normal(1, 2)
    dense = model(L.Dense(4, name="a"), shape=(2,))
    assign(dense, {"net.a.weight": weight, "net.a.bias": bias})
    np.testing.assert_allclose(dense(rows), rows @ weight.T + bias, atol=1e-5)


def test_layers_without_weights_and_other_tensors_are_left_out():
    dense = model(L.ReLU(), L.Dense(1, use_bias=False, name="a"), shape=(2,))
    assign(dense, {"net.a.weight": np.array([[1.0, 2.0]]), "net.b.weight": np.zeros(9)})
    np.testing.assert_array_equal(dense.get_weights()[0], [[1.0], [2.0]])


def test_a_missing_tensor_is_bad_input():
    said = refusal(model(L.Conv2D(4, 3, name="a")), {"net.a.weight": normal(4, 2, 3, 3)})
    assert said == "expected a tensor net.a.bias of shape (4,), received none"


@pytest.mark.parametrize("shape", [(4, 2, 3, 2), (3, 3, 2, 4), (4, 2), ()])
def test_a_tensor_of_another_shape_is_bad_input(shape):
    said = refusal(model(L.Conv2D(4, 3, name="a")), {"net.a.weight": np.zeros(shape)})
    assert said == f"expected a tensor net.a.weight of shape (4, 2, 3, 3), received {shape}"


def test_a_model_whose_tensors_do_not_fit_stays_as_it_was():
    dense = model(L.Dense(2, name="a"), L.Dense(1, name="b"), shape=(2,))
    before = dense.get_weights()
    refusal(dense, {"net.a.weight": normal(2, 2), "net.a.bias": normal(2), "net.b.weight": normal(3, 1)})
    for old, new in zip(before, dense.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
