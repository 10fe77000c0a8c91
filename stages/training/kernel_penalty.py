"""The cost of large kernels."""

from typing import NamedTuple

import keras
import tensorflow as tf


class Penalty(NamedTuple):
    """The cost of large kernels in training; histories show the loss without it.

    The cost is `l1` times the sum of the kernels' absolute values, plus `l2` times the sum of their squares.
    """

    l1: float
    l2: float

    def __call__(self, variables: list[keras.Variable]) -> tf.Tensor | float:
        """Return the cost of the variables that have more than one dimension."""
        kernels = [tf.convert_to_tensor(variable) for variable in variables if len(variable.shape) > 1]
        cost = 0.0
        if self.l1:
            cost += self.l1 * tf.add_n([tf.reduce_sum(tf.abs(kernel)) for kernel in kernels])
        if self.l2:
            cost += self.l2 * tf.add_n([tf.reduce_sum(tf.square(kernel)) for kernel in kernels])
        return cost
