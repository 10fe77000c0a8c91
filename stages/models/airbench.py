"""The fast network of airbench: Jordan, "94% on CIFAR-10 in 3.29 seconds" (arXiv:2404.00498).

A fixed first convolution whitens 2x2 patches. Three groups of two convolutions follow; the output of each
group's first convolution is pooled before it is normalized and activated. The paper's widths are 64, 256,
256: at 32x32x3 and ten classes the network has 1.97 million parameters and takes 236 MFLOP per image. The
paper's larger network, for 96 %, has widths 128, 384, 512 and a third, residual convolution in each group; it
takes 904 MFLOP.

The tricks were measured in four epochs of a small version (reports/benchmarks/ablation.md: ten classes, mean
± sd over three seeds). Whitening is worth 1.0 ± 0.3 points of validation accuracy, the learnt bias after it
0.4 ± 0.5, the identity start 0.3 ± 0.5, and SiLU instead of ReLU 0.3 ± 0.3. Moving statistics of momentum 0.6
instead of 0.9 are worth nothing. With AMX a step with SiLU takes 1.09 times as long as one with ReLU at full
width, and 1.22 times at widths 32, 128, 128. Batches of 2,000 instead of 500 gained nothing at full width
(one seed).
"""

from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

import keras
import numpy as np
import pydantic

from stages.layers import activation, batch_norm, convolution, max_pooling
from stages.running import errors, paramfile

PATCH = 2  # height and width in pixels of the whitened patches
WHITENING = "whitening"  # the layer's name
WHITENING_EPSILON = 5e-4


class Options(paramfile.Section):
    """Options of the network airbench; each of the paper's tricks can be turned off."""

    widths: list[Annotated[int, pydantic.Field(ge=1)]] = pydantic.Field(min_length=1)  # filters per group
    depth: Literal[2, 3]  # convolutions per group; the second's input is added to the third's output
    activation: Literal["relu", "silu", "gelu"]
    whiten: bool  # fix the first layer's filters, which then whiten training patches; else they are learnt
    whitening_bias: bool  # learn a bias for each of the first layer's filters
    identity: bool  # convolutions start as the identity: they pass their input on
    batch_norm_momentum: float = pydantic.Field(ge=0, lt=1)  # momentum of the moving statistics, per step
    logit_scale: float = pydantic.Field(gt=0)
    dropout: float = pydantic.Field(ge=0, lt=1)  # share of the pooled features dropped before the last layer


def build(image_shape: Sequence[int], num_classes: int, options: Options) -> keras.Model:
    """Build the network for normalized images, up to its logits.

    Args:
        image_shape: (H, W, C).
        num_classes: K.
        options: See `Options`.

    Returns:
        A model from float [B, H, W, C] to float32 [B, K].

    Raises:
        errors.BadInput: the images are too small for that many groups.
    """
    smallest = 2 ** len(options.widths) + PATCH - 1
    if min(image_shape[:2]) < smallest:
        model = f"airbench with {len(options.widths)} groups"
        raise errors.too_small(model, smallest, image_shape, "give train.model.widths fewer entries,")
    inputs = keras.Input(image_shape, name="images")
    filters = 2 * PATCH * PATCH * image_shape[-1]
    whitening = convolution.Conv2D(filters, PATCH, use_bias=options.whitening_bias, name=WHITENING)
    x = whitening(inputs)
    whitening.kernel.trainable = not options.whiten
    x = _activated(x, options)
    for width in options.widths:
        x = _group(x, width, options)
    x = keras.layers.GlobalMaxPooling2D()(x)
    x = keras.layers.Dropout(options.dropout)(x)
    logits = keras.layers.Dense(num_classes, use_bias=False, dtype="float32")(x)
    logits = keras.layers.Rescaling(options.logit_scale, dtype="float32")(logits)
    return keras.Model(inputs, logits, name="airbench")


def initialize(network: keras.Model, batches: Iterable[np.ndarray], options: Options) -> None:
    """Set the whitening filters from training images, and let convolutions start as the identity.

    Each happens only if its option is set. A convolution that starts as the identity passes on as many
    channels of its input as it has filters.

    Args:
        network: As `build` returns it.
        batches: Normalized images, float [n, H, W, C] each.
        options: See `Options`.
    """
    if options.whiten:
        network.get_layer(WHITENING).kernel.assign(whitening_filters(batches))
    for layer in network.layers if options.identity else []:
        if isinstance(layer, keras.layers.Conv2D) and layer.name != WHITENING:
            (kernel,) = layer.get_weights()
            passed = min(kernel.shape[2:])
            kernel[..., :passed] = 0
            kernel[1, 1, range(passed), range(passed)] = 1
            layer.set_weights([kernel])


def whitening_filters(batches: Iterable[np.ndarray]) -> np.ndarray:
    """Return filters whose responses to the images' 2x2 patches are uncorrelated and have variance 1.

    Each filter is there with both signs, so that a rectifier after the convolution loses nothing.

    Args:
        batches: Images, float [n, H, W, C] each; the memory needed is that of one image's patches.

    Returns:
        float32 [2, 2, C, 8 C], of which the second half is the first half with the opposite sign.
    """
    spread = covariance(patches(image) for batch in batches for image in batch)
    variances, directions = np.linalg.eigh(spread)
    filters = directions / np.sqrt(variances + WHITENING_EPSILON)
    filters = filters.reshape(PATCH, PATCH, len(spread) // PATCH**2, -1)
    return np.concatenate([filters, -filters], axis=-1).astype(np.float32)


def patches(image: np.ndarray) -> np.ndarray:
    """Return every 2x2 patch of an image [H, W, C] as float64 [(H - 1) (W - 1), 4 C]."""
    windows = np.lib.stride_tricks.sliding_window_view(image, (PATCH, PATCH), axis=(0, 1))
    return windows.transpose(0, 1, 3, 4, 2).reshape(-1, PATCH * PATCH * image.shape[-1]).astype(np.float64)


def covariance(pieces: Iterable[np.ndarray]) -> np.ndarray:
    """Return the covariance [D, D] of the rows of all pieces, float64 [n, D] each, added up piece by piece.

    The update is that of Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing
    sample variances" (1979).
    """
    count, mean, scatter = 0, np.zeros(1), np.zeros(1)
    for rows in pieces:
        centre = rows.mean(axis=0)
        rest, step = rows - centre, centre - mean
        both = count + len(rows)
        scatter = scatter + rest.T @ rest + np.outer(step, step) * (count * len(rows) / both)
        count, mean = both, mean + step * (len(rows) / both)
    return scatter / count


def _group(x: keras.KerasTensor, width: int, options: Options) -> keras.KerasTensor:
    x = max_pooling.MaxPooling2D(2)(_convolution(width)(x))
    x = pooled = _activated(_normalized(x, options), options)
    x = _activated(_normalized(_convolution(width)(x), options), options)
    if options.depth == 3:
        x = _normalized(_convolution(width)(x), options)
        x = _activated(keras.layers.Add()([x, pooled]), options)
    return x


def _convolution(width: int) -> keras.layers.Layer:
    uniform = keras.initializers.VarianceScaling(1 / 3, mode="fan_in", distribution="uniform")
    return convolution.Conv2D(width, 3, padding="same", use_bias=False, kernel_initializer=uniform)


def _normalized(x: keras.KerasTensor, options: Options) -> keras.KerasTensor:
    momentum = options.batch_norm_momentum
    return batch_norm.BatchNormalization(momentum=momentum, epsilon=1e-5, scale=False)(x)


def _activated(x: keras.KerasTensor, options: Options) -> keras.KerasTensor:
    return activation.Activation(options.activation)(x)
