"""Compare what an export makes of the bytes of pictures with what the pipeline makes of them."""

import io
from collections.abc import Sequence
from typing import cast

import numpy as np
from PIL import Image, ImageColor

from stages.decoding import picture, resizing
from stages.inputs import manifest
from stages.serving import parity, runner

PICTURES = 12
LEVELS = 1.0  # at most, between the pixels of the two ways from a picture to an image, on average
SIDES = ((1.5, 1.0), (1.0, 2.2), (3.1, 2.7), (0.7, 0.9))  # of the pictures, in heights and widths of an image


def require_pictures(
    judge: parity.Judge,
    received: runner.Pictures,
    images: np.ndarray,
    form: manifest.Form,
    classes: Sequence[str],
) -> float:
    """Check what an export makes of the bytes of pictures: PNG files of test images at other sizes.

    Args:
        judge: The Keras model in float32.
        received: What the export makes of pictures.
        images: uint8 [N, H, W, C].
        form: How pictures became the training images.
        classes: The names of the model's classes.

    Returns:
        The mean difference of a picture's pixels from those that the pipeline makes of it, in levels: the
        largest of all pictures.

    Raises:
        parity.Differs: the pixels, the probabilities of these pixels, or the classes differ.
    """
    files = [_encoded(image, number) for number, image in enumerate(images[:PICTURES])]
    background = ImageColor.getrgb(form.background)[:3]
    colours = picture.Colours(images.shape[-1], background)
    size, policy = images.shape[1:3], cast(resizing.Policy, form.resize)
    expected = np.stack(
        [resizing.resize(picture.decode(file, colours), size, policy, background) for file in files]
    )
    pixels = received.images(files)
    away = float(np.abs(expected.astype(float) - pixels).mean(axis=(1, 2, 3)).max())
    if not away <= LEVELS:
        raise parity.Differs(
            f"pictures: expected the pixels of the pipeline's resizing ({policy}) to {LEVELS:g} level on"
            f" average, received {away:.2f}"
        )
    probabilities = received.probabilities(files)
    parity.require_same(parity.judged(judge, pixels), probabilities, "pictures")
    parity.require_classes(
        [classes[label] for label in probabilities.argmax(axis=1)], received.classes(files)
    )
    return away


def _encoded(image: np.ndarray, number: int) -> bytes:
    """Encode an image as a PNG file of other sides; one in four fades out from left to right."""
    height, width = image.shape[:2]
    down, across = SIDES[number % len(SIDES)]
    resized = resizing.resize(image, (max(1, int(height * down)), max(1, int(width * across))), "squash")
    if resized.shape[-1] in (1, 3) and number % len(SIDES) == 0:
        shape = (*resized.shape[:2], 1)
        fading = np.linspace(255, 0, resized.shape[1]).astype(np.uint8)[None, :, None]
        resized = np.concatenate([resized, np.broadcast_to(fading, shape)], axis=-1)
    buffer = io.BytesIO()
    Image.fromarray(resized[..., 0] if resized.shape[-1] == 1 else resized).save(buffer, "PNG")
    return buffer.getvalue()
