"""The tutorial's network with TensorFlow's own settings: without oneDNN on x86 processors below AVX-512."""

import os
from pathlib import Path

from benchmarks.speed import peer
from stages.layers import processor


def prepare(data: Path) -> peer.Peer:
    """Build the network, to be trained on `data`/subset/train. Call it before TensorFlow is imported."""
    has_avx512 = processor.instruction_set() in ("avx512", "avx512_bf16", "amx")
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1" if has_avx512 else "0"
    from benchmarks.speed.peers import keras_tutorial

    return keras_tutorial.prepare(data)
