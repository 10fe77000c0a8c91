"""Test-time augmentation: average several looks at an image, such as its mirror image and shifted ones."""

from collections.abc import Sequence
from typing import Literal

import keras

Looks = Literal[1, 2, 6]  # the number of looks at an image


def logits(network: keras.Model, images: keras.KerasTensor, looks: Looks) -> keras.KerasTensor:
    """Average a network's logits over several looks at each image, as airbench does (arXiv:2404.00498).

    The mirror image is worth 1.1 ± 0.1 points of a small network's accuracy on CIFAR-10
    (reports/benchmarks/ablation.md), and takes no training.

    Args:
        network: From float [B, H, W, C] to logits, float32 [B, K].
        images: float [B, H, W, C].
        looks: 1 takes only the image. 2 adds its mirror image. 6 adds both shifted by a pixel towards either
            end of a diagonal, with the edge reflected; the unshifted pair counts as much as the other four.

    Returns:
        float32 [B, K], computed by stock Keras operations.
    """
    return average([network(look) for look in looked_at(images, looks)])


def looked_at(images: keras.KerasTensor, looks: Looks) -> list[keras.KerasTensor]:
    """Return what each look sees of float images [B, H, W, C], of the same shape; first the images."""
    if looks == 1:
        return [images]
    if looks == 2:
        return _both_sides(images)
    padded = keras.ops.pad(images, [[0, 0], [1, 1], [1, 1], [0, 0]], mode="reflect")
    shifted = [keras.layers.Cropping2D(((a, 2 - a), (a, 2 - a)))(padded) for a in (0, 2)]
    return [side for each in (images, *shifted) for side in _both_sides(each)]


def average(values: Sequence[keras.KerasTensor]) -> keras.KerasTensor:
    """Average the logits of the looks of `looked_at`, float32 [B, K] each, as `logits` weighs them."""
    if len(values) == 1:
        return values[0]
    pair = _mean("both_sides", values[:2])
    return _mean("all_views", [pair, _mean("shifted", values[2:])]) if len(values) > 2 else pair


def _both_sides(images: keras.KerasTensor) -> list[keras.KerasTensor]:
    return [images, keras.ops.flip(images, axis=2)]


def _mean(name: str, values: Sequence[keras.KerasTensor]) -> keras.KerasTensor:
    return keras.layers.Average(dtype="float32", name=name)(list(values))
