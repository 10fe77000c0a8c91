"""What the C library does with large blocks of memory once they are free."""

import ctypes
import platform

LARGEST_KEPT = 1 << 25  # bytes of a block; glibc's upper bound of this setting on 64-bit systems
KEPT = 1 << 28  # bytes at the end of the heap that may lie free
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # as malloc.h numbers them


def keep_freed_memory() -> None:
    """Let glibc use freed blocks again; where it is not the C library, nothing happens.

    Unless told otherwise it gives blocks of megabytes back to the system and asks for fresh pages
    each time. A record of 500 images is copied three times on its way to the file: with pages to
    fault in that runs at 100,000 images/s on one core, without at 1,000,000.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(_MMAP_THRESHOLD, LARGEST_KEPT)
        libc.mallopt(_TRIM_THRESHOLD, KEPT)
