"""An architecture: a file of stages/models/, with options and perhaps requirements for the records.

The file defines `Options` and `build(image_shape, num_classes, options)`, and may define

    NORMALIZE   the `records.normalize` that it needs, if it scales pixels by itself
    initialize  (network, batches, options): set first weights from normalized training images
    load        (network, path, options): take the weights of a file that `train.weights` names
"""

import itertools
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from stages.inputs import tfrecord
from stages.running import errors, plugins

INITIAL_IMAGES = 2000  # from which an architecture may compute its first weights
INITIAL_BATCH = 500  # of them in memory at a time, or fewer


class Architecture:
    """The architecture that `train.model` names, with checked options.

    Raises:
        errors.BadInput: the name is missing or unknown, or an option is missing, unknown or wrong.
    """

    def __init__(self, model: Mapping[str, Any]):
        self.name, self.module, self.options = plugins.choose("models", model, "train.model")

    def require_normalization(self, method: str) -> None:
        """Check that the records are normalized by the method that the architecture needs.

        Raises:
            errors.BadInput: the records are normalized by another method.
        """
        expected = getattr(self.module, "NORMALIZE", method)
        if method != expected:
            raise errors.BadInput(
                f"{self.name} expects records with normalize: {expected}, received {method};"
                f" set records.normalize to {expected}"
            )

    def build(self, image_shape: list[int], num_classes: int, weights: Path | None = None) -> keras.Model:
        """Build the network.

        Args:
            image_shape: (H, W, C).
            num_classes: K.
            weights: A file of weights to start from; None takes the architecture's own first weights.

        Returns:
            A model from float [B, H, W, C], normalized, to logits, float32 [B, K].

        Raises:
            errors.BadInput: the images are too small, or the weights do not fit, or the architecture takes
                no weights.
        """
        if weights is not None and not hasattr(self.module, "load"):
            raise errors.BadInput(
                f"train.weights: {self.name} takes no file of weights, received {weights}; move it away, or"
                " set train.weights to an empty folder such as data/weights"
            )
        network = self.module.build(image_shape, num_classes, self.options)
        if hasattr(self.module, "load"):
            self.module.load(network, weights, self.options)
        return network

    def initialize(self, network: keras.Model, split: tfrecord.Split, normalize: keras.layers.Layer) -> None:
        """Let an architecture that sets its first weights from training images see some of them.

        Args:
            network: As `build` gave it.
            split: The training records.
            normalize: From images, uint8 [B, H, W, C], to what the network takes.
        """
        if not hasattr(self.module, "initialize"):
            return
        size = split.batch_size(INITIAL_BATCH)
        batches = itertools.islice(split.batches(size), math.ceil(INITIAL_IMAGES / size))
        normalized = (np.asarray(normalize(images)) for images, _, _ in batches)
        self.module.initialize(network, normalized, self.options)
