"""The precisions that tests compute in, and where a half precision cannot be."""

import pytest

from stages.layers import processor

# TensorFlow sees that the processor has AVX-512, gives oneDNN convolutions and products in 16 bits, and
# oneDNN, which ONEDNN_MAX_CPU_ISA forbids AVX-512, refuses the ones and crashes in the others.
needs_half = pytest.mark.skipif(
    processor.is_held_back(), reason="ONEDNN_MAX_CPU_ISA keeps oneDNN from computing in 16 bits"
)
BFLOAT16 = pytest.param("mixed_bfloat16", marks=needs_half)
FLOAT16 = pytest.param("mixed_float16", marks=needs_half)
HALVES = [BFLOAT16, FLOAT16]
ALL = ["float32", *HALVES]
