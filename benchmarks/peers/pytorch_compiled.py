"""The PyTorch peer with its forward and backward passes compiled."""

from collections.abc import Callable
from pathlib import Path

from benchmarks.peers import pytorch


def prepare(data: Path) -> Callable[[], float]:
    """A function that trains one epoch on `data`/subset/train and returns its mean loss."""
    return pytorch.prepare(data, compiled=True)
