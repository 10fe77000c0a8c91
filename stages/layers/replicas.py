"""The replicas of a `tf.distribute` strategy, as a layer or a step of training sees them."""

import tensorflow as tf


def context() -> tf.distribute.ReplicaContext | None:
    """Return the current replica's context, or None when there is only one replica."""
    replica = tf.distribute.get_replica_context()
    return replica if replica is not None and replica.num_replicas_in_sync > 1 else None


def here() -> tuple[int, int, int]:
    """Return the first replica of this process, the one behind its last, and the number of all."""
    strategy, numbers = tf.distribute.get_strategy(), []

    def note(context: tf.distribute.experimental.ValueContext) -> tf.Tensor:
        numbers.append(context.replica_id_in_sync_group)
        return tf.constant(0)

    strategy.experimental_distribute_values_from_function(note)
    return min(numbers), max(numbers) + 1, strategy.num_replicas_in_sync


def share(*columns: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """Return the current replica's share of a batch; with only one replica, the batch itself.

    The shares are consecutive, each image is in one of them, and their sizes differ by one at most. Every
    worker has the whole batch: its function is then built for the same shapes, in the same order, as those of
    the others, without which TensorFlow's collective operations wait for each other for ever.

    Args:
        columns: Images, labels and so on, [B, ...].
    """
    replica = context()
    if replica is None:
        return columns
    with tf.device("CPU"):  # only the share goes to the replica's device
        number, count = replica.replica_id_in_sync_group, tf.shape(columns[0])[0]
        begin, end = (count * each // replica.num_replicas_in_sync for each in (number, number + 1))
        return tuple(column[begin:end] for column in columns)
