"""Images of several published splits as one sequence."""

import bisect
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from stages.decoding import picture


class Joined:
    """Sequences of pictures, one after the other."""

    def __init__(self, parts: Sequence[Any]):
        self.parts = parts
        self.starts = [0, *itertools.accumulate(map(len, parts))]

    def __len__(self) -> int:
        return self.starts[-1]

    def decode(self, position: int, colours: picture.Colours) -> np.ndarray:
        """Decode a picture: uint8 [H, W, C]; raises what its own sequence raises."""
        part = bisect.bisect_right(self.starts, position) - 1
        return self.parts[part].decode(position - self.starts[part], colours)

    def fact(self, name: str) -> np.ndarray:
        """What is known of each own picture, by the name of the column: [N]."""
        return np.concatenate([part.fact(name) for part in self.parts])

    def take(self, positions: np.ndarray) -> "Reordered":
        """Return the pictures at some positions, int [n]; they can be pickled."""
        owners = np.searchsorted(self.starts, positions, side="right") - 1
        parts = [
            part.take(positions[owners == number] - start)
            for number, (part, start) in enumerate(zip(self.parts, self.starts, strict=False))
        ]
        places = np.empty(len(positions), np.int64)
        places[np.argsort(owners, kind="stable")] = np.arange(len(positions))
        return Reordered(Joined(parts), places)


class Reordered:
    """The pictures of a sequence in another order."""

    def __init__(self, pictures: Joined, places: np.ndarray):
        self.pictures, self.places = pictures, places

    def __len__(self) -> int:
        return len(self.places)

    def decode(self, position: int, colours: picture.Colours) -> np.ndarray:
        """Decode a picture: uint8 [H, W, C]; raises what its own sequence raises."""
        return self.pictures.decode(int(self.places[position]), colours)

    def take(self, positions: np.ndarray) -> "Reordered":
        """Return the pictures at some positions, int [n]; they can be pickled."""
        return self.pictures.take(self.places[positions])


def join(parts: Sequence[Any]) -> Any:
    """Join arrays to an array, and sequences of pictures to a sequence."""
    if len(parts) == 1:
        return parts[0]
    return np.concatenate(parts) if isinstance(parts[0], np.ndarray) else Joined(parts)
