"""Muon: momentum whose update for each convolution is made orthogonal."""

from typing import Any

import keras
import tensorflow as tf

ITERATIONS = 3  # Newton-Schulz iterations; airbench's choice
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
TINY = 1e-7  # keeps a matrix of zeros finite


class Muon(keras.optimizers.SGD):
    """Orthogonalized Nesterov momentum for convolution kernels, SGD with Nesterov momentum for the rest.

    The method is that of Jordan et al., "Muon: an optimizer for hidden layers in neural networks" (2024), in
    the form of airbench94_muon: before each step a kernel is scaled so that the mean norm of its filters is
    1. This needs a batch normalization after the convolution, and then does not change the outputs. Keras's
    own Muon leaves kernels of four dimensions to AdamW. In four epochs on CIFAR-10 this Muon is worth
    1.8 ± 0.5 points of accuracy over airbench94's SGD (reports/benchmarks/ablation.md).

    Args:
        learning_rate: A number or a schedule.
        products: The precision of the matrix products; see `orthogonal`.
        options: Other arguments of Keras's SGD.
    """

    def __init__(self, learning_rate: Any, products: str = "float32", **options: Any):
        super().__init__(learning_rate, **options)
        self.products = products

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update one variable."""
        if len(variable.shape) != 4:
            super().update_step(gradient, variable, learning_rate)
            return
        direction = gradient
        if self.momentum:
            velocity = self.momentums[self._get_variable_index(variable)]
            self.assign(velocity, self.momentum * velocity + gradient)
            direction = gradient + self.momentum * velocity
        filters = variable.shape[-1]
        matrix = tf.reshape(direction, [-1, filters])
        update = tf.reshape(orthogonal(matrix, self.products), variable.shape)
        kernel = variable * (filters**0.5 / (tf.norm(variable) + TINY))
        self.assign(variable, kernel - tf.cast(learning_rate, variable.dtype) * update)


def orthogonal(matrix: tf.Tensor, products: str = "float32") -> tf.Tensor:
    """Return the matrix with its singular values moved towards 1, by Newton-Schulz iterations.

    A quintic polynomial (Jordan's, from the same source) is applied to all singular values at once. If the
    largest is up to four times the smallest, all results are within 0.5 to 1.3; much smaller values grow,
    but stay below.

    Args:
        matrix: float32 [M, N].
        products: The precision of the matrix products. bfloat16 is precise enough, and faster wherever
            networks run faster in it. Elsewhere float32 takes less time (1152x128, two cores with AVX-512:
            2.5 ms instead of 4.0).

    Returns:
        float32 [M, N].
    """
    a, b, c = COEFFICIENTS
    tall = matrix.shape[0] > matrix.shape[1]
    x = tf.cast(matrix / (tf.norm(matrix) + TINY), products)
    for _ in range(ITERATIONS):
        gram = tf.matmul(x, x, transpose_a=tall, transpose_b=not tall)
        polynomial = b * gram + c * tf.matmul(gram, gram)
        x = a * x + (tf.matmul(x, polynomial) if tall else tf.matmul(polynomial, x))
    return tf.cast(x, tf.float32)
