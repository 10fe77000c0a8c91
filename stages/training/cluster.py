"""The workers of a training on several machines, as the environment variable TF_CONFIG names them.

https://www.tensorflow.org/guide/distributed_training#setting_up_the_tf_config_environment_variable
"""

import os
import socket
import time
from collections.abc import Iterable
from typing import Annotated, Literal, NamedTuple

import pydantic

from stages.running import documents, errors, paramfile

NAME = "TF_CONFIG"  # the environment variable
LARGEST = 1 << 20  # bytes of its value
EXAMPLE = '{"cluster": {"worker": ["host-a:2222", "host-b:2222"]}, "task": {"type": "worker", "index": 0}}'
ANSWER_SECONDS = 2.0  # for which a machine is waited for that does not answer
PAUSE_SECONDS = 0.2  # between two looks at who is there

Address = Annotated[str, pydantic.Field(pattern=r"^\S+:[0-9]{1,5}$", max_length=300)]


class _Jobs(paramfile.Section):
    chief: list[Address] = pydantic.Field(default=[], max_length=1)
    worker: list[Address] = pydantic.Field(default=[])


class _Task(paramfile.Section):
    type: Literal["chief", "worker"]
    index: int = pydantic.Field(ge=0, strict=False)  # some launchers write it as a text


class _Config(paramfile.Section):
    model_config = pydantic.ConfigDict(extra="ignore")

    cluster: _Jobs = _Jobs()
    task: _Task | None = None


class Cluster(NamedTuple):
    """All workers of a training, and which of them this process is. The first one is the chief."""

    addresses: tuple[str, ...]  # host:port
    number: int  # of this process, from 0

    @property
    def is_chief(self) -> bool:
        """True if this worker writes the outputs."""
        return self.number == 0

    @property
    def others(self) -> list[int]:
        """The numbers of the other workers."""
        return [number for number in range(len(self.addresses)) if number != self.number]

    def named(self, numbers: Iterable[int]) -> str:
        """Name workers by their numbers and addresses."""
        return ", ".join(f"worker {number} ({self.addresses[number]})" for number in numbers)

    def out_of_reach(self) -> list[int]:
        """Return the numbers of the other workers to which no connection can be made now."""
        return [number for number in self.others if not _answers(self.addresses[number])]


def read() -> Cluster | None:
    """Read TF_CONFIG; None if it is not there or names no more than one worker.

    A chief that has a list of its own comes before the workers. Without one the first worker is the chief.

    Raises:
        errors.BadInput: it is something else than TensorFlow's description of a cluster, or this process has
            no place in it.
    """
    content = os.environ.get(NAME, "").strip().encode()
    if not content:
        return None
    try:
        if len(content) > LARGEST:
            raise documents.Unfit(f"at most {LARGEST:,} bytes", f"{len(content):,}")
        document = documents.parse_json(content)
    except documents.Unfit as unfit:
        raise errors.BadInput(f"{NAME}: {unfit}; an example is {EXAMPLE}") from unfit
    config = paramfile.check(_Config, document, NAME)
    jobs, task = config.cluster, config.task
    addresses = (*jobs.chief, *jobs.worker)
    if len(addresses) < 2:
        return None
    if len(set(addresses)) < len(addresses):
        raise errors.BadInput(f"{NAME}: expected an address of its own for each worker, received one twice")
    if task is None:
        raise errors.BadInput(f"{NAME}.task is missing; an example is {EXAMPLE}")
    of_its_type = jobs.chief if task.type == "chief" else jobs.worker
    if task.index >= len(of_its_type):
        raise errors.BadInput(
            f"{NAME}.task.index: expected one of the {len(of_its_type)} of type {task.type}, counted from 0,"
            f" received {task.index}"
        )
    first = len(jobs.chief) if task.type == "worker" else 0
    return Cluster(addresses, first + task.index)


def meet(cluster: Cluster, seconds: float) -> None:
    """Wait until all workers are there; say at once whom this one waits for.

    Until then this process listens at its own address, where TensorFlow listens afterwards.

    Raises:
        errors.BadInput: this process cannot listen at its address.
        errors.Unreachable: a worker has not come within the seconds.
    """
    own = cluster.addresses[cluster.number]
    try:
        listening = socket.create_server(("", _host_and_port(own)[1]))
    except (OSError, OverflowError) as error:
        raise errors.BadInput(
            f"{NAME}: expected a free port at {own}, this worker's address: {error}"
        ) from error
    missing, began, said = cluster.others, time.monotonic(), False
    with listening:
        while missing := [number for number in missing if not _answers(cluster.addresses[number])]:
            if time.monotonic() - began >= seconds:
                raise errors.Unreachable(
                    f"waited {seconds:g} s for {cluster.named(missing)}, without an answer; start this"
                    " training there, too, or raise train.worker_seconds"
                )
            if not said:
                print(f"waiting for {cluster.named(missing)}, at most {seconds:g} s", flush=True)
            said = True
            time.sleep(PAUSE_SECONDS)


def _answers(address: str) -> bool:
    try:
        with socket.create_connection(_host_and_port(address), ANSWER_SECONDS):
            return True
    except (OSError, OverflowError, UnicodeError):  # nobody listens, or the name is not known (yet)
        return False


def _host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
