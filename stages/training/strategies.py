"""Train on one device, on all GPUs of a machine or on several machines, by `tf.distribute`."""

import contextlib
import hashlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import numpy as np
import tensorflow as tf

from stages.running import errors
from stages.training import cluster as clusters

Wanted = Literal["one", "mirrored", "multi_worker", "auto"]

START_SECONDS, LOOKS = 20.0, 10  # in which a worker must not be out of reach at every look
LOOK_SECONDS = 10.0  # for which a worker is looked for that may be lost
_LOST = (
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
    tf.errors.InternalError,
    tf.errors.UnavailableError,
    tf.errors.UnknownError,
)


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


@contextlib.contextmanager
def started(wanted: Wanted, seconds: float) -> Iterator[Team]:
    """Make the strategy and give the team, in the strategy's scope.

    Call it before TensorFlow's first operation. From here on, what a worker prints that is not the chief goes
    nowhere.

    Args:
        wanted: one device; mirrored: all GPUs of this machine; multi_worker: the machines that TF_CONFIG
            names, with all of their GPUs; or auto: multi_worker if it names several, else mirrored if there
            are several GPUs, else one. In the scope of a strategy, one and auto leave that in charge.
        seconds: How long to wait for the other workers.

    Raises:
        errors.BadInput: there are not several workers or GPUs, but they are asked for; or see `cluster.read`.
        errors.Unreachable: a worker has not come within the seconds.
        errors.WorkerLost: a worker has ended before this one.
    """
    is_given = tf.distribute.has_strategy()
    cluster = clusters.read() if wanted in ("multi_worker", "auto") and not is_given else None
    gpus = len(tf.config.get_visible_devices("GPU"))
    if wanted == "multi_worker" and cluster is None:
        raise errors.BadInput(
            f"train.strategy is multi_worker, which expects at least two workers in the environment variable"
            f" {clusters.NAME}, such as {clusters.EXAMPLE}; received {_shown(os.environ.get(clusters.NAME))}"
        )
    if wanted == "mirrored" and gpus < 2:
        raise errors.BadInput(
            f"train.strategy is mirrored, which expects at least two GPUs, but TensorFlow may use {gpus}; set"
            " it to auto, which takes what there is"
        )
    with contextlib.ExitStack() as stack:
        if cluster is not None:
            clusters.meet(cluster, seconds)
            stack.enter_context(_losses_named(cluster))
            with _watched(cluster):
                stack.enter_context(_multi_worker(gpus).scope())
                Team(cluster).wait_for_all()
            # TensorFlow takes SIGTERM for itself and goes on; this gives it back to Python's handler.
            signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM) or signal.SIG_DFL)
            if not cluster.is_chief:
                stack.enter_context(_silent(cluster))
        elif gpus > 1 and wanted != "one" and not is_given:
            stack.enter_context(tf.distribute.MirroredStrategy().scope())
        team = Team(cluster)
        yield team
        team.wait_for_all()  # a worker that has ended counts as lost


@contextlib.contextmanager
def _watched(cluster: clusters.Cluster) -> Iterator[None]:
    """End the process with a line if a worker is lost while TensorFlow starts, which would wait for ever."""
    has_started = threading.Event()

    def watch() -> None:
        missed = 0
        while not has_started.wait(START_SECONDS / LOOKS):
            missed = missed + 1 if (lost := cluster.out_of_reach()) else 0
            if missed == LOOKS:
                print(f"train: error: {_told(cluster, lost)}", file=sys.stderr, flush=True)
                os._exit(1)  # nothing is written yet

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    try:
        yield
    finally:
        has_started.set()
        watching.join()


def _multi_worker(gpus: int) -> tf.distribute.Strategy:
    kinds = tf.distribute.experimental.CommunicationImplementation
    options = tf.distribute.experimental.CommunicationOptions(
        implementation=kinds.AUTO if gpus else kinds.RING
    )
    return tf.distribute.MultiWorkerMirroredStrategy(communication_options=options)


@contextlib.contextmanager
def _losses_named(cluster: clusters.Cluster) -> Iterator[None]:
    """Name the workers that are lost where TensorFlow says that something is wrong with the team."""
    try:
        yield
    except _LOST as error:
        began = time.monotonic()
        while not (lost := cluster.out_of_reach()) and time.monotonic() - began < LOOK_SECONDS:
            time.sleep(clusters.PAUSE_SECONDS)
        if not lost:
            raise
        raise errors.WorkerLost(_told(cluster, lost)) from error


def _told(cluster: clusters.Cluster, lost: list[int]) -> str:
    return (
        f"lost {cluster.named(lost)}: it has ended, and its own output says why, or the network is down;"
        " start the training again on all workers"
    )


@contextlib.contextmanager
def _silent(cluster: clusters.Cluster) -> Iterator[None]:
    print(f"training as {cluster.named([cluster.number])}; worker 0 says how it goes", flush=True)
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
            yield


def _shown(value: str | None) -> str:
    return "none" if value is None else repr(value[:200])


def _digest(value: Any) -> int:
    content = json.dumps(value, sort_keys=True).encode()
    return int.from_bytes(hashlib.blake2b(content, digest_size=7).digest())
