"""The PyTorch peer with its forward and backward passes compiled."""

from pathlib import Path

from benchmarks import peer
from benchmarks.peers import pytorch


def prepare(data: Path) -> peer.Peer:
    """The network, to be trained on `data`/subset/train."""
    return pytorch.prepare(data, compiled=True)
