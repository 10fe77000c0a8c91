"""A source of images that kills the process which reads it for the first time."""

import os
import signal
from pathlib import Path
from typing import NamedTuple

import numpy as np


class Source(NamedTuple):
    """Images of one grey level; the first reading of one of them is the end of its process."""

    flag: Path
    places: np.ndarray
    shape: tuple[int, ...] = (4, 4, 1)

    def take(self, places):
        return self._replace(places=self.places[places])

    def image(self, place):
        number = int(self.places[place])
        if number == 5 and not self.flag.exists():
            self.flag.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return np.full(self.shape, number, np.uint8)
