"""A network that was trained on ImageNet, and its published weights."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol

import keras


class Weights(Protocol):
    """Published weights, without the top."""

    @property
    def suffixes(self) -> list[str]:
        """The ends of the names of the files that `load` takes."""

    def fetch(self) -> Path:
        """Return the path of the published file in the cache; it is fetched if missing, and verified.

        Raises:
            errors.StageError: the file cannot be fetched, or is not the published one.
        """

    def load(self, model: keras.Model, path: Path) -> None:
        """Set the weights of the network without its top from a file: the published one, or another.

        Raises:
            errors.BadInput: the file is damaged, or does not fit; the message begins with its path.
        """


class Backbone(NamedTuple):
    """An architecture, what it does with pixels before, and its weights."""

    create: Callable[..., keras.Model]  # takes include_top, weights (None) and input_shape, as in Keras
    scale: Callable[[keras.KerasTensor], keras.KerasTensor]  # from pixels 0..255, RGB, float32
    weights: Weights
