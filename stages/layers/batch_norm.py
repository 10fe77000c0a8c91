"""Batch normalization that TensorFlow runs as one operation, in the precision of its input."""

import keras
import tensorflow as tf

from stages.layers import processor, replicas, xla, xla_batch_norm


class BatchNormalization(keras.layers.BatchNormalization):
    """Keras's batch normalization over the last axis of [B, H, W, C], through FusedBatchNormV3.

    On the TensorFlow backend Keras normalizes by separate operations and in float32, whatever the
    precision. FusedBatchNormV3 takes bfloat16 and float16 and keeps its statistics in float32.
    On two CPU cores with AMX an epoch of the three-block network takes 6 s instead of 9. Where oneDNN's
    kernel is slow, XLA's is used instead: see `xla_batch_norm`.

    Weights are named and ordered as in Keras's layer, so each of the two layers can replace the other.
    With several replicas, each one normalizes by the statistics of its own share of a batch. The moving
    statistics are the same on all replicas and follow the mean over the replicas' images.
    """

    stock = keras.layers.BatchNormalization

    def call(self, inputs: tf.Tensor, training: bool | None = None, mask: None = None) -> tf.Tensor:
        """Normalize [B, H, W, C]: in training by the batch's statistics, else by the moving statistics.

        In training the moving statistics follow those of the batch.
        """
        if not (training and self.trainable):
            return infer(self, inputs)
        gamma, beta = _scale_and_offset(self)
        normalize = xla_batch_norm.normalize if _is_slow(inputs) else _normalize
        outputs, mean, variance = normalize(inputs, gamma, beta, self.epsilon)
        count = _values_per_channel(inputs)
        self._follow(self.moving_mean, _over_replicas(mean, count))
        self._follow(self.moving_variance, _over_replicas(variance, count))
        return outputs

    def _follow(self, moving: keras.Variable, value: tf.Tensor) -> None:
        moving.assign(moving * self.momentum + value * (1 - self.momentum))


def infer(layer: keras.layers.BatchNormalization, inputs: tf.Tensor) -> tf.Tensor:
    """Normalize [B, H, W, C] by the moving statistics of Keras's layer or of this one, as one operation."""
    gamma, beta = _scale_and_offset(layer)
    mean, variance = (tf.convert_to_tensor(each) for each in (layer.moving_mean, layer.moving_variance))
    one = xla_batch_norm.infer if _is_slow(inputs) else _infer
    return one(inputs, gamma, beta, mean, variance, layer.epsilon)


def _scale_and_offset(layer: keras.layers.BatchNormalization) -> tuple[tf.Tensor, tf.Tensor]:
    """Return gamma and beta, or what stands for them in a layer without."""
    gamma = tf.convert_to_tensor(layer.gamma) if layer.scale else tf.ones_like(layer.moving_mean)
    return gamma, tf.convert_to_tensor(layer.beta) if layer.center else tf.zeros_like(layer.moving_mean)


def _is_slow(inputs: tf.Tensor) -> bool:
    """True where oneDNN's kernel takes many times as long as XLA's."""
    on_cpu = not tf.config.get_visible_devices("GPU") and not xla.is_traced()
    return on_cpu and inputs.dtype == tf.float32 and processor.normalizes_slowly()


def _normalize(
    inputs: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, epsilon: float
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return the normalized inputs, and the batch's mean and biased variance."""
    outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
        inputs, gamma, beta, epsilon=epsilon, is_training=True
    )
    # The operation returns the unbiased variance; Keras's layer averages the biased one.
    count = _values_per_channel(inputs)
    return outputs, mean, variance * (count - 1) / count


def _infer(
    inputs: tf.Tensor,
    gamma: tf.Tensor,
    beta: tf.Tensor,
    mean: tf.Tensor,
    variance: tf.Tensor,
    epsilon: float,
) -> tf.Tensor:
    outputs, _, _ = tf.compat.v1.nn.fused_batch_norm(
        inputs, gamma, beta, mean=mean, variance=variance, epsilon=epsilon, is_training=False
    )
    return outputs


def _values_per_channel(inputs: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.size(inputs) // tf.shape(inputs)[-1], tf.float32)


def _over_replicas(value: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """Return the mean of a value over the replicas, weighted by the count of each replica."""
    replica = replicas.context()
    if replica is None:
        return value
    total, counts = replica.all_reduce("SUM", [value * count, count])
    return total / counts
