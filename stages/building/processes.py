"""Build shards in processes of this machine."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Generator, Sequence
from concurrent import futures
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection

from stages.building import shard
from stages.running import errors

ROUNDS = 3  # in which a process may end before its time


def results(jobs: Sequence[shard.Job], workers: int) -> Generator[shard.Built, None, None]:
    """Yield what each shard holds, as they are finished.

    Where a process is killed, others build its shards.

    Args:
        jobs: The shards.
        workers: The largest number of processes; with one, all work is done in this process.

    Raises:
        errors.BadInput: see `shard.build`, or processes end again and again.
    """
    left = {job.number: job for job in jobs}
    workers = min(workers, len(jobs))
    if workers < 2:
        yield from map(shard.build, jobs)
        return
    # A server that has imported TensorFlow once starts all workers.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["stages.building.shard"])
    for _ in range(ROUNDS):
        try:
            for built in _round(list(left.values()), workers, context):
                del left[built.number]
                yield built
            return
        except BrokenProcessPool:
            print(f"a process that built records has ended; {len(left)} shards are left", flush=True)
    raise errors.BadInput(
        f"expected processes that build records, but one of them was ended {ROUNDS} times, perhaps for want"
        " of memory; free some, or allow fewer cores (taskset)"
    )


def _round(
    jobs: Sequence[shard.Job], workers: int, context: multiprocessing.context.ForkServerContext
) -> Generator[shard.Built, None, None]:
    before = set(multiprocessing.active_children())
    pool = futures.ProcessPoolExecutor(workers, context, _end_with_the_parent)
    try:
        begun = [pool.submit(shard.build, job) for job in jobs]
        for each in futures.as_completed(begun):
            yield each.result()
    except BaseException:  # also an interruption: a shard takes minutes, which nobody waits for
        for process in set(multiprocessing.active_children()) - before:
            process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _end_with_the_parent() -> None:
    """Let a worker end when the process that started it has ended, even if that was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its workers
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    sentinel = parent.sentinel

    def wait() -> None:
        connection.wait([sentinel])
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
