"""The replicas of a `tf.distribute` strategy, as a layer sees them."""

import tensorflow as tf


def context() -> tf.distribute.ReplicaContext | None:
    """Return the current replica's context, or None when there is only one replica."""
    replica = tf.distribute.get_replica_context()
    return replica if replica is not None and replica.num_replicas_in_sync > 1 else None
