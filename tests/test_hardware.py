"""Device and precision follow the request and what the machine has."""

import json

import pytest
import tensorflow as tf

from stages.layers import processor
from stages.running import cores, errors
from stages.training import hardware
from tests import precisions

GPUS = tf.config.list_physical_devices("GPU")
without_gpu = pytest.mark.skipif(bool(GPUS), reason="this machine has a GPU")


@pytest.mark.parametrize(
    ("instruction_set", "vendor", "precision"),
    [
        ("amx", "GenuineIntel", "mixed_bfloat16"),
        ("avx512_bf16", "AuthenticAMD", "mixed_bfloat16"),
        ("avx512_bf16", "GenuineIntel", "float32"),
        ("avx512", "GenuineIntel", "float32"),
        ("avx2", "AuthenticAMD", "float32"),
        ("other", "", "float32"),
    ],
)
def test_a_processor_quick_in_bfloat16_computes_in_it(instruction_set, vendor, precision):
    assert hardware.fast_cpu_precision(instruction_set, vendor) == precision


@pytest.mark.parametrize(
    ("capability", "precision"),
    [
        ((0, 0), "float32"),
        ((6, 1), "float32"),
        ((7, 0), "mixed_float16"),
        ((7, 5), "mixed_float16"),
        ((8, 0), "mixed_bfloat16"),
        ((10, 0), "mixed_bfloat16"),
    ],
)
def test_a_gpu_is_fast_in_what_its_tensor_cores_multiply(capability, precision):
    assert hardware.fast_gpu_precision(capability) == precision


@without_gpu
@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_without_a_gpu_the_cpu_is_chosen_in_its_fast_precision(device):
    chosen = hardware.select(device, "auto")
    assert chosen.device == "cpu"
    assert chosen.processor
    fast = hardware.fast_cpu_precision(processor.instruction_set(), processor.vendor())
    assert chosen.precision == fast
    assert tf.config.get_visible_devices("GPU") == []


@without_gpu
@pytest.mark.parametrize("precision", precisions.ALL)
def test_a_precision_asked_for_is_kept(precision):
    assert hardware.select("cpu", precision).precision == precision


@without_gpu
@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_sixteen_bits_that_onednn_is_kept_from_are_bad_input(monkeypatch, precision):
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    monkeypatch.setattr(processor, "_field", lambda field: "avx2 avx512bw")
    with pytest.raises(errors.BadInput, match="ONEDNN_MAX_CPU_ISA is AVX2; unset it"):
        hardware.select("cpu", precision)
    assert hardware.select("cpu", "auto").precision == "float32"


@without_gpu
def test_a_gpu_that_is_asked_for_and_absent_is_bad_input():
    with pytest.raises(errors.BadInput, match="is 'gpu', but TensorFlow sees only the CPU"):
        hardware.select("gpu", "auto")


@pytest.mark.skipif(not GPUS, reason="needs a GPU")
@pytest.mark.parametrize("device", ["auto", "gpu"])
def test_a_gpu_is_chosen_where_there_is_one(device):
    chosen = hardware.select(device, "auto")
    assert chosen.device == "gpu"
    assert chosen.precision in ("float32", "mixed_float16", "mixed_bfloat16")


def test_the_environment_says_what_ran_in_json():
    described = hardware.environment(
        hardware.Hardware("cpu", "some processor", "float32"), deterministic=True
    )
    assert set(described) == {
        "cores", "deterministic", "device", "instruction_set", "keras", "numpy", "onednn", "platform",
        "precision", "processor", "python", "tensorflow",
    }  # fmt: skip
    assert described["cores"] == cores.usable()
    assert described["tensorflow"] == tf.__version__
    assert json.loads(json.dumps(described)) == described


def test_machines_that_train_together_may_differ_in_their_processors():
    one, other, foreign = (
        hardware.alike(hardware.environment(hardware.Hardware("cpu", *kind), deterministic=True))
        for kind in (("one", "float32"), ("other", "float32"), ("one", "mixed_bfloat16"))
    )
    assert one == other != foreign


@pytest.mark.parametrize(("instruction_set", "onednn"), [("amx", True), ("avx2", False)])
def test_the_environment_says_how_onednn_computed(monkeypatch, instruction_set, onednn):
    monkeypatch.setattr(processor, "instruction_set", lambda: instruction_set)
    monkeypatch.setattr(processor, "onednn_is_on", lambda: onednn)
    described = hardware.environment(
        hardware.Hardware("cpu", "some processor", "float32"), deterministic=False
    )
    assert (described["instruction_set"], described["onednn"]) == (instruction_set, onednn)
    assert described["deterministic"] is False
