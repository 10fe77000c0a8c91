"""Test-time augmentation: average several looks at an image, such as its mirror image and shifted ones."""

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
    if looks == 1:
        return network(images)
    pair = _both_sides(network, images)
    if looks == 2:
        return _mean("both_sides", pair)
    padded = keras.ops.pad(images, [[0, 0], [1, 1], [1, 1], [0, 0]], mode="reflect")
    shifted = [keras.layers.Cropping2D(((a, 2 - a), (a, 2 - a)))(padded) for a in (0, 2)]
    others = [look for each in shifted for look in _both_sides(network, each)]
    return _mean("all_views", [_mean("both_sides", pair), _mean("shifted", others)])


def _both_sides(network: keras.Model, images: keras.KerasTensor) -> list[keras.KerasTensor]:
    return [network(images), network(keras.ops.flip(images, axis=2))]


def _mean(name: str, values: list[keras.KerasTensor]) -> keras.KerasTensor:
    return keras.layers.Average(dtype="float32", name=name)(values)
