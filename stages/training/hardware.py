"""Which device trains, and in which precision it is fast."""

import platform
from typing import Literal, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from stages.running import errors
from stages.training import processor

Device = Literal["auto", "cpu", "gpu"]
Precision = Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"]


class Hardware(NamedTuple):
    """What was chosen."""

    device: str  # "cpu" or "gpu"
    name: str  # of the processor
    precision: str  # a Keras dtype policy


def select(device: Device, precision: Precision) -> Hardware:
    """Choose the device and precision, and hide GPUs from TensorFlow if the CPU is asked for.

    Call it before TensorFlow runs its first operation.

    Raises:
        errors.BadInput: a GPU is asked for and TensorFlow sees none.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if device == "gpu" and not gpus:
        raise errors.BadInput(
            "train.device is 'gpu', but TensorFlow sees only the CPU;"
            " install requirements-gpu.txt and an NVIDIA driver, or set train.device to auto"
        )
    if device == "cpu" or not gpus:
        tf.config.set_visible_devices([], "GPU")
        fast = fast_cpu_precision(processor.flags())
        return Hardware("cpu", processor.name(), fast if precision == "auto" else precision)
    details = tf.config.experimental.get_device_details(gpus[0])
    fast = fast_gpu_precision(details.get("compute_capability", (0, 0)))
    return Hardware("gpu", details.get("device_name", "GPU"), fast if precision == "auto" else precision)


def fast_cpu_precision(flags: set[str]) -> str:
    """bfloat16 where the processor multiplies in it (AMX, AVX-512 BF16), else float32.

    The three-block network trains 1.6 times as fast in bfloat16 as in float32, with AMX as with
    AVX-512 BF16 alone (an AMD EPYC of the Zen 4 kind); airbench's 1.9 times there.

    Args:
        flags: The processor's feature flags, as Linux names them.
    """
    return "mixed_bfloat16" if flags & {"amx_bf16", "avx512_bf16"} else "float32"


def fast_gpu_precision(capability: tuple[int, int]) -> str:
    """bfloat16 from NVIDIA's Ampere on (compute capability 8.0), float16 from Volta on (7.0)."""
    if capability >= (8, 0):
        return "mixed_bfloat16"
    return "mixed_float16" if capability >= (7, 0) else "float32"


def environment(hardware: Hardware, deterministic: bool) -> dict[str, object]:
    """What ran, for the record: device, precision and versions."""
    return {
        **hardware._asdict(),
        "deterministic": deterministic,
        "keras": keras.version(),
        "numpy": np.__version__,
        "platform": platform.platform(terse=True),
        "python": platform.python_version(),
        "tensorflow": tf.version.VERSION,
    }
