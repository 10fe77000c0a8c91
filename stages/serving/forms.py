"""From the bytes of a picture file to pixels in the form that a model was trained on."""

from typing import NamedTuple

import numpy as np

from stages.decoding import picture, resizing


class Form(NamedTuple):
    """The form of pictures.

    Attributes:
        shape: Height, width and channels.
        resize: How a picture gets that height and width, see `resizing.resize`.
        background: The RGB colour behind transparent pixels and beside padded pictures.
        max_pixels: The largest height times width of a picture.
    """

    shape: tuple[int, int, int]
    resize: resizing.Policy
    background: tuple[int, int, int]
    max_pixels: int

    def pixels(self, encoded: bytes) -> np.ndarray:
        """Decode and resize a picture as the subset stage does: uint8 [H, W, C].

        Raises:
            picture.Fault: the bytes are no sound picture.
        """
        height, width, channels = self.shape
        decoded = picture.decode(encoded, picture.Colours(channels, self.background), self.max_pixels)
        return resizing.resize(decoded, (height, width), self.resize, self.background)
