"""Choose the device that trains, and the precision in which it is fast."""

import os
import platform
from typing import Literal, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from stages.layers import processor
from stages.running import cores, errors

Device = Literal["auto", "cpu", "gpu"]
Precision = Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"]


class Hardware(NamedTuple):
    """The chosen device and precision."""

    device: str  # "cpu" or "gpu"
    processor: str  # the device's model name
    precision: str  # a Keras dtype policy

    @property
    def in_words(self) -> str:
        """The device and the precision."""
        return f"{self.device} ({self.processor}) in {self.precision}"


def select(device: Device, precision: Precision) -> Hardware:
    """Choose the device and precision, and hide GPUs from TensorFlow if the CPU is asked for.

    Call it before TensorFlow runs its first operation.

    Raises:
        errors.BadInput: a GPU is asked for but TensorFlow sees none, or ONEDNN_MAX_CPU_ISA keeps oneDNN from
            computing in the precision.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if device == "gpu" and not gpus:
        raise errors.BadInput(
            "train.device is 'gpu', but TensorFlow sees only the CPU;"
            " install requirements-gpu.txt and an NVIDIA driver, or set train.device to auto"
        )
    if device == "cpu" or not gpus:
        tf.config.set_visible_devices([], "GPU")
        fast = fast_cpu_precision(processor.instruction_set(), processor.vendor())
        return Hardware("cpu", processor.name(), _supported(fast if precision == "auto" else precision))
    details = tf.config.experimental.get_device_details(gpus[0])
    fast = fast_gpu_precision(details.get("compute_capability", (0, 0)))
    return Hardware("gpu", details.get("device_name", "GPU"), fast if precision == "auto" else precision)


def _supported(precision: str) -> str:
    """Return the precision if TensorFlow can compute in it on a CPU.

    If oneDNN is kept below the processor's AVX-512, only float32 works: in other precisions TensorFlow ends
    with a segmentation fault.
    """
    if precision != "float32" and processor.is_held_back():
        raise errors.BadInput(
            f"train.precision is {precision}, which expects oneDNN to use this processor's AVX-512, but"
            f" ONEDNN_MAX_CPU_ISA is {os.environ['ONEDNN_MAX_CPU_ISA']}; unset it or set train.precision to"
            " float32"
        )
    return precision


def fast_cpu_precision(instruction_set: str, vendor: str) -> str:
    """Return the precision in which a CPU trains fastest: bfloat16 if it multiplies faster so, else float32.

    With AMX the three-block network trains 1.6 times as fast in bfloat16 as in float32; so it does with
    AVX-512 BF16 on an AMD EPYC of the Zen 4 kind, and airbench 1.9 times. On an Intel Xeon that has AVX-512
    BF16 but not AMX, a convolution in bfloat16 takes 1.5 to 1.8 times as long as in float32
    (`python -m benchmarks kernels`).

    Args:
        instruction_set: One of `processor.INSTRUCTION_SETS`, or "other".
        vendor: The vendor as `processor.vendor` returns it.
    """
    is_fast = instruction_set == "amx" or (instruction_set, vendor) == ("avx512_bf16", "AuthenticAMD")
    return "mixed_bfloat16" if is_fast else "float32"


def fast_gpu_precision(capability: tuple[int, int]) -> str:
    """Return the precision in which an NVIDIA GPU trains fastest.

    It is bfloat16 from Ampere on (compute capability 8.0), float16 from Volta on (7.0), else float32.
    """
    if capability >= (8, 0):
        return "mixed_bfloat16"
    return "mixed_float16" if capability >= (7, 0) else "float32"


def prepare(hardware: Hardware, seed: int, deterministic: bool) -> None:
    """Set Keras's precision, all seeds, and whether every training gives the same weights, bit for bit."""
    keras.mixed_precision.set_dtype_policy(hardware.precision)
    keras.utils.set_random_seed(seed)
    if deterministic:
        tf.config.experimental.enable_op_determinism()


def environment(hardware: Hardware, deterministic: bool) -> dict[str, object]:
    """Return a record of device, precision, versions, and all else that decides a model's last bits."""
    return {
        **hardware._asdict(),
        "cores": cores.usable(),
        "deterministic": deterministic,
        "instruction_set": processor.instruction_set(),
        "keras": keras.version(),
        "numpy": np.__version__,
        "onednn": processor.onednn_is_on(),
        "platform": platform.platform(terse=True),
        "python": platform.python_version(),
        "tensorflow": tf.version.VERSION,
    }


def alike(environment: dict[str, object]) -> dict[str, object]:
    """Return the part of an environment that machines must share to train together."""
    return {name: environment[name] for name in ("device", "precision", "tensorflow", "keras", "numpy")}
