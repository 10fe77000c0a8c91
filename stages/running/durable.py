"""Keep what is written, whatever happens to the machine."""

import os
from pathlib import Path


def flush(path: Path) -> None:
    """Wait until a file or folder would survive a loss of power.

    Raises:
        OSError: the disk is full or fails.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
