"""Train on one device, on all GPUs of a machine or on several machines, by `tf.distribute`."""

import contextlib
import faulthandler
import os
import signal
import time
from collections.abc import Iterator
from typing import Literal

import tensorflow as tf

from stages.running import errors
from stages.training import cluster as clusters
from stages.training import team as teams

Wanted = Literal["one", "mirrored", "multi_worker", "auto"]

START_SECONDS = 60.0  # that TensorFlow may take to connect workers that are there
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


@contextlib.contextmanager
def started(wanted: Wanted, seconds: float) -> Iterator[teams.Team]:
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
            with _in_time(cluster):
                stack.enter_context(_multi_worker(gpus).scope())
                teams.Team(cluster).wait_for_all()
            # TensorFlow takes SIGTERM for itself and goes on; this gives it back to Python's handler.
            signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM) or signal.SIG_DFL)
            if not cluster.is_chief:
                stack.enter_context(_silent(cluster))
        elif gpus > 1 and wanted != "one" and not is_given:
            stack.enter_context(tf.distribute.MirroredStrategy().scope())
        team = teams.Team(cluster)
        yield team
        team.wait_for_all()  # a worker that has ended counts as lost


@contextlib.contextmanager
def _in_time(cluster: clusters.Cluster) -> Iterator[None]:
    """End the process if TensorFlow does not connect the workers: it would wait for ever for a lost one.

    While it waits, no thread of Python runs, and no handler of a signal.
    """
    of_all = cluster.named(range(len(cluster.addresses)))
    print(f"connecting {of_all}: this ends without them after {START_SECONDS:.0f} s", flush=True)
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        faulthandler.dump_traceback_later(START_SECONDS, exit=True, file=nowhere)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()


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
        raise errors.WorkerLost(
            f"lost {cluster.named(lost)}: it has ended, and its own output says why, or the network is down;"
            " start the training again on all workers"
        ) from error


@contextlib.contextmanager
def _silent(cluster: clusters.Cluster) -> Iterator[None]:
    print(f"training as {cluster.named([cluster.number])}; worker 0 says how it goes", flush=True)
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
            yield


def _shown(value: str | None) -> str:
    return "none" if value is None else repr(value[:200])
