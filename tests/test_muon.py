"""Muon's updates are orthogonal, and only convolutions get them."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.layers import processor
from stages.training import muon
from tests import rounding

# Each of three iterations rounds its products, of norm about 1. The polynomial's slope is at most 3.4445, so
# that the first one's errors have grown to 1 + 3.4 + 3.4^2 = 16 roundings at the end.
ROUNDINGS = 16
PRODUCTS = ["float32"] if processor.is_held_back() else ["float32", "bfloat16"]
few = settings(max_examples=25, deadline=None)


def matrix(rows, columns, seed=0):
    return np.random.default_rng(seed).normal(size=(rows, columns)).astype(np.float32)


@few
@given(
    rows=st.integers(1, 40),
    columns=st.integers(1, 40),
    seed=st.integers(0, 1000),
    products=st.sampled_from(PRODUCTS),
)
def test_orthogonal_keeps_the_singular_vectors_of_the_svd(rows, columns, seed, products):
    left, _, right = np.linalg.svd(given_matrix := matrix(rows, columns, seed), full_matrices=False)
    inside = left.T @ muon.orthogonal(tf.constant(given_matrix), products).numpy() @ right.T
    off_diagonal = inside - np.diag(np.diag(inside))
    assert np.abs(off_diagonal).max() < rounding.of_steps(ROUNDINGS, precision=products)


@pytest.mark.parametrize("products", PRODUCTS)
def test_orthogonal_draws_the_large_singular_values_to_about_1(products):
    left, _, right = np.linalg.svd(matrix(48, 16), full_matrices=False)
    for values in (np.ones(16), np.linspace(1, 4, 16), np.linspace(100, 300, 16)):
        found = muon.orthogonal(tf.constant((left * values) @ right, tf.float32), products).numpy()
        singular = np.linalg.svd(found, compute_uv=False)
        assert singular.min() > 0.5
        assert singular.max() < 1.3


@pytest.mark.parametrize("products", PRODUCTS)
def test_orthogonal_does_not_depend_on_which_side_is_longer(products):
    wide = matrix(6, 20)
    of_wide, of_tall = (muon.orthogonal(tf.constant(each), products).numpy() for each in (wide, wide.T))
    bound = rounding.of_steps(ROUNDINGS, np.abs(of_wide).max(), products)
    np.testing.assert_allclose(of_wide, of_tall.T, rtol=0, atol=bound)


def test_a_matrix_of_zeros_stays():
    assert not muon.orthogonal(tf.zeros([5, 3])).numpy().any()


def convolution(seed=0):
    kernel = np.random.default_rng(seed).normal(size=(3, 3, 4, 8)).astype(np.float32)
    return keras.Variable(kernel), kernel


def test_a_kernel_is_scaled_then_moved_by_orthogonal_gradient():
    weight, kernel = convolution()
    _, gradient = convolution(seed=1)
    muon.Muon(0.1, momentum=0.0).apply([tf.constant(gradient)], [weight])
    scaled = kernel * np.sqrt(8) / np.linalg.norm(kernel)
    step = muon.orthogonal(tf.constant(gradient.reshape(36, 8))).numpy().reshape(kernel.shape)
    np.testing.assert_allclose(weight.numpy(), scaled - 0.1 * step, atol=rounding.of_steps(ROUNDINGS))


def test_momentum_looks_ahead_as_nesterovs_does():
    weight, _ = convolution()
    gradients = [convolution(seed)[1] for seed in (1, 2)]
    optimizer = muon.Muon(0.1, momentum=0.5, nesterov=True)
    optimizer.apply([tf.constant(gradients[0])], [weight])
    before = weight.numpy()
    optimizer.apply([tf.constant(gradients[1])], [weight])
    velocity = 0.5 * gradients[0] + gradients[1]
    direction = (gradients[1] + 0.5 * velocity).reshape(36, 8)
    scaled = before * np.sqrt(8) / np.linalg.norm(before)
    step = muon.orthogonal(tf.constant(direction)).numpy().reshape(before.shape)
    np.testing.assert_allclose(weight.numpy(), scaled - 0.1 * step, atol=rounding.of_steps(ROUNDINGS))


@pytest.mark.parametrize("shape", [(5,), (4, 3)])
def test_other_variables_get_the_steps_of_sgd(shape):
    start, gradient = np.ones(shape, np.float32), np.full(shape, 0.3, np.float32)
    found, expected = keras.Variable(start), keras.Variable(start)
    mine, its = (kind(0.1, momentum=0.9, nesterov=True) for kind in (muon.Muon, keras.optimizers.SGD))
    for _ in range(3):
        mine.apply([tf.constant(gradient)], [found])
        its.apply([tf.constant(gradient)], [expected])
    np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=rounding.of_steps(3 * 4))  # three steps
