"""The cores of the processor."""

import os


def usable() -> int:
    """Return the number of cores that this process may use; it influences the last bits of a model."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
