"""What a layer has to know of the replicas of a `tf.distribute` strategy."""

import tensorflow as tf


def context() -> tf.distribute.ReplicaContext | None:
    """That of the replica at hand, if there are several."""
    replica = tf.distribute.get_replica_context()
    return replica if replica is not None and replica.num_replicas_in_sync > 1 else None
