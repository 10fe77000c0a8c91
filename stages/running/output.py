"""Where a command prints: standard output and standard error."""

import errno
import io
import os
import sys

STDOUT, STDERR = 1, 2  # file descriptors
REFUSALS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EPIPE, errno.EIO, errno.EBADF)  # of a stream


def use_utf8() -> None:
    """Print UTF-8 with every locale: other encodings may lack "→" or characters of class names."""
    for stream in (sys.__stdout__, sys.__stderr__):  # libraries may have wrapped the others
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8")


def open_closed() -> None:
    """Open the standard streams that are closed, for nothing.

    The next file would get the number of a closed one, and what libraries print would end up in it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if sys.stdout is None:
        sys.stdout = open(STDOUT, "w", encoding="utf-8", closefd=False)
    if sys.stderr is None:
        sys.stderr = open(STDERR, "w", encoding="utf-8", closefd=False)


def fault(error: Exception) -> str | None:
    """Return in words that an error came from standard output, which is closed then; None if it did not.

    An error of a stream names no file. Whether it was this one shows an empty line.
    """
    if not isinstance(error, OSError) or error.filename is not None or error.errno not in REFUSALS:
        return None
    try:
        os.write(STDOUT, b"\n")
    except OSError as refused:
        silence(STDOUT)
        return f"what is printed cannot be written to standard output: {refused}"
    return None


def silence(descriptor: int) -> None:
    """Let a stream that nobody takes lead nowhere; else Python tries to empty it again when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
