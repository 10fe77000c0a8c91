"""How a command ends that cannot go on: one line instead of a traceback, and an exit status."""

import errno
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from stages.running import ellipsis, errors, output, signals

LEAST_ADDRESSES = 4 << 30  # bytes; with less, TensorFlow can wait for ever or end in a segmentation fault
SHOWN = 500  # characters of what the system says
MEMORY = "expected more memory than the machine or its limits (ulimit -v) leave"
LIMITS = {
    errno.ENOSPC: "no space left on the disk; nothing half-written was kept",
    errno.EDQUOT: "no space left on the disk for this user; nothing half-written was kept",
    errno.ENOMEM: MEMORY,
    errno.EFBIG: "expected a higher limit of a file's size (ulimit -f)",
    errno.EMFILE: "expected a higher limit of open files (ulimit -n)",
}
PLACE = "expected a place that can be read and written"


def require_addresses() -> None:
    """End the process if the addresses that it may use are too few to import TensorFlow and work with it."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < LEAST_ADDRESSES:
        sys.exit(f"error: {MEMORY}: at least {LEAST_ADDRESSES:,} bytes, received a limit of {limit:,}")


@contextmanager
def told(name: str, status: int = 1, interrupted: str = "interrupted") -> Iterator[None]:
    """Run a command's work; where it cannot go on, end the process with one line on standard error.

    An exception that no user can do anything about is a defect and keeps its traceback.

    Args:
        name: The command's name, which begins the line.
        status: The exit status.
        interrupted: What is said of an interruption, whose exit status is 128 and the number of its signal.
    """
    output.use_utf8()
    try:
        with signals.raised():
            yield
            sys.stdout.flush()
    except KeyboardInterrupt as error:
        _end(f"{name}: {interrupted}", signals.status(error))
    except _may_be_explained() as error:
        if (why := output.fault(error) or explained(error)) is None:
            raise
        _end(f"{name}: error: {why}", status)


def said_of_imports(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Say in one line why a command cannot be imported; a hook for `sys.excepthook`."""
    if why := explained(error):
        print(f"error: {why}", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


def explained(error: BaseException) -> str | None:
    """Return what the machine or a user's input lacks; None for a defect."""
    if isinstance(error, errors.StageError):
        return str(error)
    said = ellipsis.cut(next(iter(str(error).splitlines()), ""), SHOWN)
    if isinstance(error, OSError) and error.errno is not None:  # libraries raise it for damaged files, too
        return f"{LIMITS.get(error.errno, PLACE)}: {said}"
    if isinstance(error, (MemoryError, *_of_tensorflow("ResourceExhaustedError"))):
        return f"{MEMORY}: {said or type(error).__name__}"
    if isinstance(error, RuntimeError) and said == "can't start new thread":
        return f"expected a higher limit of threads (ulimit -u) or more memory: {said}"
    if isinstance(error, _of_tensorflow("OutOfRangeError", "PermissionDeniedError", "NotFoundError")):
        return f"{PLACE}: {said}"
    return None


def _may_be_explained() -> tuple[type[Exception], ...]:
    kinds = errors.StageError, OSError, MemoryError, RuntimeError
    return (*kinds, *_of_tensorflow("OpError"))


def _of_tensorflow(*names: str) -> tuple[type[Exception], ...]:
    """Return classes of TensorFlow's errors; none if TensorFlow is not imported."""
    found = getattr(sys.modules.get("tensorflow"), "errors", None)
    return tuple(getattr(found, name) for name in names) if found else ()


def _end(line: str, status: int) -> None:
    print(line, file=sys.stderr)
    sys.exit(status)
