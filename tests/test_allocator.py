"""Freed memory is used again; where glibc is not the C library, nothing is asked of it."""

import platform
import subprocess
import sys

import pytest

from stages.inputs import allocator

PAGE_FAULTS = """
import resource
from stages.inputs import allocator
{first}
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    bytes(b"x" * {size})
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(first, size):
    """Count the page faults of filling a block of `size` bytes fifty times."""
    script = PAGE_FAULTS.format(first=first, size=size)
    return int(subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
def test_a_freed_block_is_used_again_without_new_pages():
    size = allocator.LARGEST_KEPT - 4096
    few = page_faults("allocator.keep_freed_memory()", size)
    many = page_faults("", size)
    assert few < many / 10


def test_another_c_library_is_not_called(monkeypatch):
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr("ctypes.CDLL", None)  # to call it would raise
    allocator.keep_freed_memory()
