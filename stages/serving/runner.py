"""An exported model as its users load it, whatever its format."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

Encoded = Sequence[bytes]  # the bytes of picture files


class Pictures(NamedTuple):
    """What an export makes of the bytes of picture files, B of them."""

    images: Callable[[Encoded], np.ndarray]  # to uint8 [B, H, W, C]
    probabilities: Callable[[Encoded], np.ndarray]  # to float32 [B, K]
    classes: Callable[[Encoded], list[str]]  # to the names of the most probable classes, B of them


class Runner(NamedTuple):
    """An export, loaded from its files."""

    classes: list[str]  # as the files have them
    probabilities: Callable[[np.ndarray], np.ndarray]  # from float32 [B, H, W, C] to float32 [B, K]
    pictures: Pictures | None = None  # None if it takes only images
