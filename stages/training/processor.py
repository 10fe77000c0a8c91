"""What the processor calls itself and what it can do, as Linux says it."""

import platform
from pathlib import Path


def name() -> str:
    """Its model."""
    return _field("model name") or platform.processor() or platform.machine()


def flags() -> set[str]:
    """Its features, such as amx_bf16; empty where the system is not Linux."""
    return set(_field("flags").split())


def _field(field: str) -> str:
    """A line of Linux's description of the processor; empty elsewhere."""
    description = Path("/proc/cpuinfo")
    for line in description.read_text().splitlines() if description.exists() else []:
        key, _, value = line.partition(":")
        if key.strip() == field:
            return value.strip()
    return ""
