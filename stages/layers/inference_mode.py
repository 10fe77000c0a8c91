"""A model that stays in inference mode, such as a pretrained backbone."""

from typing import Any

import keras


class InferenceMode(keras.Model):
    """A model whose layers stay in inference mode while the model around it is in training.

    Batch normalization then keeps its statistics while its weights are fine-tuned. Calling the layer with
    `training=False` asks for the same, but a surrounding model that is called with True overrules it.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Return the outputs of inference mode, whatever `training` is."""
        return super().call(inputs, training=False, mask=mask)
