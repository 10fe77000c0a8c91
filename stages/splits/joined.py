"""Images of several published splits as one sequence."""

import bisect
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from stages.decoding import picture


class Joined:
    """Sequences of pictures, one after the other; what is known of own pictures is joined, too."""

    def __init__(self, parts: Sequence[Any]):
        self.parts = parts
        self.starts = [0, *itertools.accumulate(map(len, parts))]
        if all(hasattr(part, "facts") for part in parts):
            names = parts[0].facts
            self.facts = {name: np.concatenate([part.facts[name] for part in parts]) for name in names}

    def __len__(self) -> int:
        return self.starts[-1]

    def decode(self, position: int, colours: picture.Colours) -> np.ndarray:
        """Decode a picture: uint8 [H, W, C]; raises what its own sequence raises."""
        part = bisect.bisect_right(self.starts, position) - 1
        return self.parts[part].decode(position - self.starts[part], colours)


def join(parts: Sequence[Any]) -> Any:
    """Join arrays to an array, and sequences of pictures to a sequence."""
    if len(parts) == 1:
        return parts[0]
    return np.concatenate(parts) if isinstance(parts[0], np.ndarray) else Joined(parts)
