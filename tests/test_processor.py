"""What oneDNN may use of a processor, from Linux's flags and the environment."""

import pytest

from stages.layers import processor
from stages.running import cores

AVX2 = "fpu avx avx2"
AVX512 = f"{AVX2} avx512f avx512bw"
BFLOAT16 = f"{AVX512} avx512_bf16"
AMX = f"{BFLOAT16} amx_bf16 amx_tile"


@pytest.fixture
def flags(monkeypatch):
    def have(names):
        monkeypatch.setattr(processor, "_field", lambda field: names if field == "flags" else "")

    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    return have


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (AMX, "amx"),
        (BFLOAT16, "avx512_bf16"),
        (AVX512, "avx512"),
        (AVX2, "avx2"),
        ("avx", "avx"),
        ("", "other"),
    ],
)
def test_the_newest_instruction_set_counts(flags, names, expected):
    flags(names)
    assert processor.instruction_set() == expected


@pytest.mark.parametrize(
    ("most", "expected"),
    [
        ("ALL", "amx"),
        ("AVX10_1_512", "amx"),
        ("AVX512_CORE_AMX", "amx"),
        ("AVX512_CORE_FP16", "avx512_bf16"),
        ("avx512_core_bf16", "avx512_bf16"),
        ("AVX512_CORE_VNNI", "avx512"),
        ("AVX2_VNNI", "avx2"),
        ("SSE41", "avx"),
    ],
)
def test_onednn_may_be_held_to_an_older_one(flags, monkeypatch, most, expected):
    flags(AMX)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", most)
    assert processor.instruction_set() == expected


def test_an_older_processor_gains_nothing_from_a_newer_limit(flags, monkeypatch):
    flags(AVX2)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX512_CORE")
    assert processor.instruction_set() == "avx2"


@pytest.mark.parametrize(
    ("names", "most", "expected"),
    [(AMX, "AVX2", True), (AMX, "AVX512_CORE", False), (AVX2, "AVX2", False), (AMX, "", False)],
)
def test_only_a_newer_processor_is_held_back(flags, monkeypatch, names, most, expected):
    flags(names)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", most)
    assert processor.is_held_back() == expected


def test_this_machine_has_a_name_and_cores():
    assert processor.name() and cores.usable() >= 1


@pytest.mark.parametrize(
    ("machine", "options", "expected"),
    [
        ("x86_64", None, True),
        ("x86_64", "1", True),
        ("AMD64", "0", False),
        ("AMD64", "1", True),
        ("arm64", "1", False),
    ],
)
def test_onednn_is_on_on_x86_unless_the_user_turns_it_off(flags, monkeypatch, machine, options, expected):
    flags(AVX2)
    monkeypatch.setattr(processor.platform, "machine", lambda: machine)
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    if options is not None:
        monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", options)
    assert processor.onednn_is_on() == expected
    assert processor.normalizes_slowly() == expected


@pytest.mark.parametrize(
    ("names", "expected"), [(AMX, False), (AVX512, False), (AVX2, True), ("avx", True), ("", True)]
)
def test_normalization_is_slow_without_avx512(flags, monkeypatch, names, expected):
    flags(names)
    monkeypatch.setattr(processor, "onednn_is_on", lambda: True)
    assert processor.normalizes_slowly() == expected
