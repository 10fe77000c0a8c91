"""What a benchmark ran on: without it a rate means nothing."""

import platform
import shutil
import subprocess
from importlib import metadata
from typing import Any

from stages.layers import processor

PACKAGES = ["keras", "numpy", "tensorflow", "tensorflow-cpu", "torch"]


def describe(device: str = "cpu") -> dict[str, Any]:
    """The processor, after the GPU if that is what computes; the cores this process may use, what oneDNN
    may use of the processor, and the versions of what computes."""
    return {
        "cores": processor.cores(),
        "instruction_set": processor.instruction_set(),
        "onednn": processor.onednn_is_on(),
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
        "platform": platform.platform(terse=True),
        "processor": f"{_gpu()}, {processor.name()}" if device == "gpu" else processor.name(),
        "python": platform.python_version(),
    }


def line(description: dict[str, Any]) -> str:
    """A description in one line."""
    onednn = "oneDNN" if description["onednn"] else "no oneDNN"
    packages = [f"{name} {version}" for name, version in description["packages"].items()]
    able = [description["instruction_set"], onednn]
    parts = [description["processor"], f"{description['cores']} cores", *able, *packages]
    return ", ".join(parts)


def _gpu() -> str:
    """The name of the first GPU, as its driver has it."""
    if not (command := shutil.which("nvidia-smi")):
        return "no GPU"
    asked = [command, "--query-gpu=name", "--format=csv,noheader"]
    return subprocess.run(asked, capture_output=True, text=True).stdout.partition("\n")[0] or "no GPU"


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
