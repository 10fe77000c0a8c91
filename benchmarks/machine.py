"""What a benchmark ran on: without it a rate means nothing."""

import contextlib
import platform
import shutil
import subprocess
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from stages.layers import processor
from stages.running import cores, outputs

PACKAGES = ["ai-edge-litert", "keras", "numpy", "onnxruntime", "tensorflow", "tensorflow-cpu", "torch"]


def describe(device: str = "cpu") -> dict[str, Any]:
    """The processor, after the GPU if that is what computes; the cores this process may use, what oneDNN
    may use of the processor, and the versions of what computes."""
    packages = {}
    for name in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            packages[name] = metadata.version(name)
    return {
        "cores": cores.usable(),
        "instruction_set": processor.instruction_set(),
        "onednn": processor.onednn_is_on(),
        "packages": packages,
        "platform": platform.platform(terse=True),
        "processor": f"{_gpu()}, {processor.name()}" if device == "gpu" else processor.name(),
        "python": platform.python_version(),
    }


def publish(results: Path, shown: str, figures: Mapping[str, Any]) -> None:
    """Write figures to a JSON file, with the machine; print both, the figures as they are shown."""
    described = describe()
    outputs.write_json(results, {"machine": described, **figures})
    print(line(described), shown, sep="\n\n")


def line(description: dict[str, Any]) -> str:
    """A description in one line."""
    onednn = "oneDNN" if description["onednn"] else "no oneDNN"
    packages = [" ".join(package) for package in description["packages"].items()]
    able = [f"{description['cores']} cores", description["instruction_set"], onednn]
    return ", ".join([description["processor"], *able, *packages])


def _gpu() -> str:
    """The name of the first GPU, as its driver has it."""
    if not (command := shutil.which("nvidia-smi")):
        return "no GPU"
    asked = [command, "--query-gpu=name", "--format=csv,noheader"]
    return subprocess.run(asked, capture_output=True, text=True).stdout.partition("\n")[0] or "no GPU"
