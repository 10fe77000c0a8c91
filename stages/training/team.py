"""The processes that train together, and what they tell each other."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from stages.running import errors
from stages.training import cluster as clusters


class Team:
    """The processes that train together, each on its devices; one process is a team, too."""

    def __init__(self, cluster: clusters.Cluster | None = None):
        self.cluster = cluster
        self.workers = len(cluster.addresses) if cluster else 1
        self.replicas = tf.distribute.get_strategy().num_replicas_in_sync

    @property
    def is_chief(self) -> bool:
        """True if this process writes the outputs."""
        return self.cluster is None or self.cluster.is_chief

    def described(self) -> dict[str, object]:
        """Return the number of replicas and workers, for a record of what ran; nothing of one device."""
        return {"replicas": self.replicas, "workers": self.workers} if tf.distribute.has_strategy() else {}

    @property
    def in_words(self) -> str:
        """What there is to say of the number of replicas behind the device."""
        return f", {self.replicas} replicas of {self.workers} workers" if self.described() else ""

    def from_chief(self, content: bytes) -> bytes:
        """Return the chief's content; the others' own content is not used."""
        if self.cluster is None:
            return content
        own = content if self.is_chief else b""
        size = int(self._added_up(np.array([len(own)]))[0])
        padded = own.ljust(-(-size // 8) * 8, b"\0")  # whole numbers of eight bytes
        values = np.frombuffer(padded, np.int64) if self.is_chief else np.zeros(len(padded) // 8, np.int64)
        return self._added_up(values).tobytes()[:size]

    def require_alike(self, facts: Mapping[str, Any]) -> None:
        """Check that all workers have the same facts, JSON values by their names in words.

        Raises:
            errors.BadInput: a worker has others than the chief. Every worker raises it.
        """
        if self.cluster is None:
            return
        table = np.zeros((self.workers, len(facts)), np.int64)
        table[self.cluster.number] = [_digest(value) for value in facts.values()]
        table = self._added_up(table)
        for number, row in enumerate(table):
            if others := [name for name, is_same in zip(facts, row == table[0], strict=True) if not is_same]:
                raise errors.BadInput(
                    f"expected the same on all workers, but {self.cluster.named([number])} has other"
                    f" {' and '.join(others)} than the chief, {self.cluster.named([0])}; bring the same"
                    " revision and the same data there"
                )

    def wait_for_all(self) -> None:
        """Wait until all workers are here."""
        if self.cluster is not None:
            self._added_up(np.zeros(1, np.int64))

    def _added_up(self, values: np.ndarray) -> np.ndarray:
        """Return the sum of the int64 arrays of all workers, which have the same shape."""
        strategy = tf.distribute.get_strategy()
        replicas_here = self.replicas // self.workers

        def of_replica(context: tf.distribute.experimental.ValueContext) -> tf.Tensor:
            is_first = context.replica_id_in_sync_group % replicas_here == 0
            return tf.constant(values if is_first else np.zeros_like(values))

        each = strategy.experimental_distribute_values_from_function(of_replica)
        return strategy.reduce("SUM", each, axis=None).numpy()


def _digest(value: Any) -> int:
    content = json.dumps(value, sort_keys=True).encode()
    return int.from_bytes(hashlib.blake2b(content, digest_size=7).digest())
