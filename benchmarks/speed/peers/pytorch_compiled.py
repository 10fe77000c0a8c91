"""The PyTorch peer with its forward and backward passes compiled."""

from pathlib import Path

from benchmarks.speed import peer
from benchmarks.speed.peers import pytorch


def prepare(data: Path) -> peer.Peer:
    """The network, to be trained on `data`/subset/train."""
    return pytorch.prepare(data, compiled=True)
