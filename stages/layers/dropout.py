"""Dropout from random bytes, where Keras draws a float per value."""

import keras
import tensorflow as tf

from stages.layers import replicas

STEPS = 256  # a byte's values; a rate is rounded to so many parts


class Dropout(keras.layers.Dropout):
    """Keras's dropout with one random byte per value, its rate rounded to a multiple of 1/256.

    What is kept is scaled so that the expectation stays exact for the rounded rate. Drawing a float
    and comparing it took an eighth of the three-block network's step on two CPU cores. Replicas draw
    apart from each other.
    """

    stock = keras.layers.Dropout

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Drop values in training: float [...] to the same."""
        kept = STEPS - round(self.rate * STEPS)
        if not training or kept == STEPS:
            return inputs
        if self.noise_shape is not None or kept == 0:
            return super().call(inputs, training=training)
        seed = _of_replica(tf.cast(self.seed_generator.next(), tf.int32))
        is_kept = _random_bytes(tf.shape(inputs), seed) < tf.constant(kept, tf.uint8)
        return inputs * (tf.cast(is_kept, inputs.dtype) * (STEPS / kept))


def _of_replica(seed: tf.Tensor) -> tf.Tensor:
    """A seed for this replica; with one alone, the seed itself."""
    replica = replicas.context()
    if replica is None:
        return seed
    return tf.random.fold_in(seed, replica.replica_id_in_sync_group)


def _random_bytes(shape: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Uniform uint8 of a shape, a function of the seed alone."""
    count = tf.reduce_prod(shape)
    words = tf.random.stateless_uniform([(count + 7) // 8], seed, minval=None, maxval=None, dtype=tf.uint64)
    return tf.reshape(tf.reshape(tf.bitcast(words, tf.uint8), [-1])[:count], shape)
