"""What an interruption does: Ctrl-C (SIGINT) and the request to end (SIGTERM) are the same."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

HANDLED = (signal.SIGINT, signal.SIGTERM)
STATUS = 128  # of a process that a signal ends, by convention: this and the signal's number

Handler = Callable[[int, FrameType | None], None]


def end_at_once() -> None:
    """Let an interruption end the process with one line; nothing is cleaned up.

    This is for the seconds in which modules are imported, when nothing is there to be cleaned up, and an
    exception would come out of any of them as another one.
    """
    _handle(_end)


@contextmanager
def raised() -> Iterator[None]:
    """Let an interruption raise KeyboardInterrupt with the signal's number; a second one ends at once."""
    before = {number: signal.getsignal(number) for number in HANDLED}
    _handle(_raise)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def status(error: KeyboardInterrupt) -> int:
    """Return the exit status of an interruption."""
    return STATUS + (error.args[0] if error.args else signal.SIGINT)


def _handle(handler: Handler) -> None:
    for number in HANDLED:
        if signal.getsignal(number) is not signal.SIG_IGN:  # of nohup
            signal.signal(number, handler)


def _raise(number: int, frame: FrameType | None) -> None:
    end_at_once()
    raise KeyboardInterrupt(number)


def _end(number: int, frame: FrameType | None) -> None:
    print("interrupted", file=sys.stderr, flush=True)
    os._exit(STATUS + number)
