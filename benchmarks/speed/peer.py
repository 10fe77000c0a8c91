"""What a benchmark asks of those who train the same network."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Peer(NamedTuple):
    """A network, ready to be trained."""

    epoch: Callable[[], float]  # trains one epoch on subset/train and returns its mean loss
    classify: Callable[[np.ndarray], np.ndarray]  # uint8 images [N, H, W, C] to their classes, int [N]
