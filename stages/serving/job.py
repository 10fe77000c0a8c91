"""What is to be exported: a model, the facts about it, and the images that quantization looks at."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import keras
import numpy as np

from stages.serving import facts


class Job(NamedTuple):
    """The input of a format's `write`."""

    model: keras.Model  # in float32, from images [B, H, W, C] to {"probabilities": [B, K]}
    facts: facts.Facts
    samples: Callable[[], Iterable[np.ndarray]]  # images for int8's ranges, float32 [1, H, W, C] each
