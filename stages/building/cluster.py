"""Build shards on the machines of a Dask cluster."""

import itertools
import pickle
from collections.abc import Generator, Iterator, Sequence
from typing import Any

from stages.building import shard
from stages.running import errors

SECONDS = 30  # in which a scheduler has to answer
LEAST_AHEAD = 4  # shards that are with the scheduler at a time, even if it has no workers yet


def results(jobs: Sequence[shard.Job], address: str) -> Generator[shard.Built, None, None]:
    """Yield what each shard holds, as they are finished.

    Where a worker is killed, others build its shards. Workers that come later help.

    Args:
        jobs: The shards.
        address: The scheduler, such as tcp://host:8786. All machines see the same folders under the same
            names: this project, the data and the cache.

    Raises:
        errors.BadInput: Dask is not installed, nobody answers at the address, a worker lacks this project,
            see `shard.build`, or workers end again and again.
        errors.Unreachable: the scheduler has ended.
    """
    try:
        import distributed
    except ModuleNotFoundError as error:
        raise errors.BadInput(
            "records.scheduler needs the package distributed, which is not installed; run"
            " `pip install -r requirements-cluster.txt`, or set it to null"
        ) from error
    try:
        client = distributed.Client(address, timeout=SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise errors.BadInput(
            f"records.scheduler: expected Dask's scheduler at {address}, found none: {reason}; start one with"
            " `dask scheduler`, or set it to null"
        ) from error
    with client:
        workers = len(client.scheduler_info(n_workers=-1)["workers"])
        print(f"{len(jobs):,} shards for {workers:,} workers at {address}", flush=True)
        try:
            yield from _built(client, iter(jobs))
        except distributed.KilledWorker as error:
            raise errors.BadInput(
                f"expected workers that build records, but several were ended at the same shard: {error}"
            ) from error
        except ModuleNotFoundError as error:
            raise errors.BadInput(
                f"expected this project and its packages at Dask's workers, too: {error}; start them in the"
                " project's folder, with PYTHONPATH=. and this Python environment"
            ) from error


class _Call:
    """What pickle turns into the result of `shard.build` where it reads it."""

    def __init__(self, job: shard.Job):
        self.job = job

    def __reduce__(self) -> tuple:
        return shard.build, (self.job,)


def _built(client: Any, jobs: Iterator[shard.Job]) -> Generator[shard.Built, None, None]:
    """Hand in two jobs for each thread of the cluster, and another one for each that is finished.

    A job holds its part of the index; all of them at once would fill the scheduler's memory. Jobs are handed
    in as bytes: a worker without this project fails at one with an error that arrives here, whereas it would
    end, and leave us waiting, at a function or an object that it cannot read.
    """
    from distributed import as_completed

    def some(number: int) -> list[Any]:
        contents = [pickle.dumps(_Call(job)) for job in itertools.islice(jobs, number)]
        return [client.submit(pickle.loads, content, pure=False) for content in contents]

    begun = as_completed(some(_ahead(client)), loop=client.loop, with_results=True)
    for future, built in begun:
        begun.update(some(max(0, _ahead(client) - begun.count())))
        if future.cancelled():  # by a scheduler that was started anew in the meantime
            raise _lost(client)
        yield built


def _ahead(client: Any) -> int:
    try:
        return max(LEAST_AHEAD, 2 * sum(client.nthreads().values()))
    except OSError as error:
        raise _lost(client) from error


def _lost(client: Any) -> errors.Unreachable:
    return errors.Unreachable(
        f"lost Dask's scheduler at {client.scheduler.address}: it has ended, or the network is down; start it"
        " and its workers again, and then this stage, which goes on with the shards that are missing"
    )
