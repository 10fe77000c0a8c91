"""What an augmentation is: an operation on a whole batch that the draws decide.

An operation is called with images (uint8 [B, H, W, C]) and with `draws` uniform numbers in [0, 1) per
image (float32 [B, draws]). It returns images of the same shape and dtype. The draws decide everything,
so the same draws give the same pixels.
"""

from typing import ClassVar

import tensorflow as tf

from stages.running import paramfile


class Operation(paramfile.Section):
    """One augmentation with its strength."""

    draws: ClassVar[int]
    turn: ClassVar[float | None] = None  # added to an image's draws from view to view; None draws again

    def __call__(self, images: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
        """Return the augmented images.

        Args:
            images: uint8 [B, H, W, C].
            draws: float32 [B, draws], in [0, 1).

        Returns:
            uint8 [B, H, W, C].
        """
        raise NotImplementedError
