"""The processor's name, cores and instruction set, as Linux reports them and oneDNN may use them."""

import os
import platform
from pathlib import Path

# From the newest to the oldest: the instruction set's name, the flag by which Linux reports that a processor
# has it, and the beginnings of its names in ONEDNN_MAX_CPU_ISA.
INSTRUCTION_SETS = [
    ("amx", "amx_bf16", ("AVX512_CORE_AMX", "AVX10")),
    ("avx512_bf16", "avx512_bf16", ("AVX512_CORE_BF16", "AVX512_CORE_FP16")),
    ("avx512", "avx512bw", ("AVX512_CORE",)),
    ("avx2", "avx2", ("AVX2",)),
    ("avx", "avx", ("AVX", "SSE41")),
]


def name() -> str:
    """Return the processor's model name."""
    return _field("model name") or platform.processor() or platform.machine()


def vendor() -> str:
    """Return the vendor as the processor gives it, such as AuthenticAMD; empty if the system is not Linux."""
    return _field("vendor_id")


def instruction_set() -> str:
    """Return the newest of INSTRUCTION_SETS that oneDNN uses on this processor.

    It is "other" if there is none, or if the system is not Linux.
    """
    return _newest(_field("flags").split(), held_at())


def held_at() -> str:
    """Return the newest instruction set that ONEDNN_MAX_CPU_ISA allows; empty if it allows all."""
    most = os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper()
    found = [own for own, _, starts in INSTRUCTION_SETS if most.startswith(starts)]
    return found[0] if found else ""


def is_held_back() -> bool:
    """True if ONEDNN_MAX_CPU_ISA keeps oneDNN below an AVX-512 that the processor has."""
    names = [own for own, _, _ in INSTRUCTION_SETS]
    return names.index(held_at() or "amx") > names.index("avx512") and "avx512bw" in _field("flags").split()


def onednn_is_on() -> bool:
    """True if TensorFlow computes with oneDNN on an x86 processor."""
    return platform.machine() in ("x86_64", "AMD64") and os.environ.get("TF_ENABLE_ONEDNN_OPTS") != "0"


def normalizes_slowly() -> bool:
    """True if oneDNN's float32 batch normalization takes ten times as long here as with AVX-512."""
    return onednn_is_on() and instruction_set() in ("avx2", "avx", "other")


def _newest(flags: list[str], most: str) -> str:
    names = [own for own, _, _ in INSTRUCTION_SETS]
    allowed = INSTRUCTION_SETS[names.index(most) if most else 0 :]
    return next((own for own, flag, _ in allowed if flag in flags), "other")


def _field(field: str) -> str:
    """Return one field of Linux's description of the processor; empty on other systems."""
    description = Path("/proc/cpuinfo")
    for line in description.read_text().splitlines() if description.exists() else []:
        key, _, value = line.partition(":")
        if key.strip() == field:
            return value.strip()
    return ""
