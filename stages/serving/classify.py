"""Classify pictures batch by batch: the next ones are decoded while the model works."""

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from stages.decoding import picture
from stages.running import ahead
from stages.serving import batched, forms, places

BATCH = 32  # pictures, or fewer if they are large
BATCH_BYTES = 1 << 24  # of the pixels of a batch


class Classified(NamedTuple):
    """A picture's probabilities, float32 [K], or why it has none."""

    name: str
    probabilities: np.ndarray | None
    error: str


class _Decoded(NamedTuple):
    name: str
    pixels: np.ndarray | None
    error: str


def batch_size(shape: tuple[int, int, int]) -> int:
    """Return the usual number of pictures of a batch, for pixels of the shape (H, W, C)."""
    height, width, channels = shape
    return max(1, min(BATCH, BATCH_BYTES // (height * width * channels)))


def batches(
    contents: Iterable[places.Content],
    form: forms.Form,
    probabilities: Callable[[np.ndarray], np.ndarray],
    size: int,
) -> Iterator[list[Classified]]:
    """Yield the pictures in order, a batch at a time.

    The model is always given batches of the same size, and a picture without pixels keeps its place in one.
    So what else there is changes no bit of a picture's probabilities. A few batches are in memory at a time.

    Args:
        contents: The pictures.
        form: The form that the model takes.
        probabilities: The model: from uint8 [B, H, W, C] to float32 [B, K].
        size: B.
    """
    decoded = ahead.mapped(functools.partial(_decoded, form=form), contents)
    step = functools.partial(_classified, probabilities=probabilities, shape=(size, *form.shape))
    # One thread runs the model, and this one goes on collecting what the others decode.
    return ahead.mapped(step, batched.batched(decoded, size), most=1)


def _decoded(content: places.Content, form: forms.Form) -> _Decoded:
    try:
        return _Decoded(content.name, form.pixels(content.read()), "")
    except picture.Fault as fault:
        return _Decoded(content.name, None, f"{fault.kind}: {fault}")


def _classified(
    batch: list[_Decoded], probabilities: Callable[[np.ndarray], np.ndarray], shape: tuple[int, ...]
) -> list[Classified]:
    images = np.zeros(shape, np.uint8)
    for image, decoded in zip(images, batch, strict=False):
        if decoded.pixels is not None:
            image[:] = decoded.pixels
    found = probabilities(images)
    return [
        Classified(decoded.name, None if decoded.pixels is None else answer, decoded.error)
        for decoded, answer in zip(batch, found, strict=False)
    ]
