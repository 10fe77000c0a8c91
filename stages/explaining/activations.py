"""Compute the outputs of the layers inside a trained model for some images. A model in, arrays out."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np

from stages.layers import find


def feature_maps(
    model: keras.Model, images: np.ndarray, most_layers: int, channels: int
) -> list[tuple[str, np.ndarray]]:
    """Return the outputs of the convolution and pooling layers, or of the dense layers if there are none.

    Args:
        model: From images to anything; it may hold other models.
        images: The model's input, [n, H, W, C].
        most_layers: The maximum number of layers. Of a deeper model they are spread evenly over the depth;
            the first and the last are among them.
        channels: The maximum number of channels of each convolution or pooling; the first ones are taken.

    Returns:
        Per layer: a title, which is the layer's name above the size of its output; and the output, float32
        [n, h, w, c] of a convolution or pooling, [n, units] or [n, ..., units] of a dense layer.
    """
    chosen = find.of_kind(model, find.CONVOLUTIONS + find.POOLINGS)
    chosen = _spread(chosen or find.of_kind(model, find.DENSE), most_layers)
    with _recorded(chosen, channels) as outputs:
        model(images, training=False)
    return [
        (f"{layer.name}\n{' x '.join(map(str, shape))}", keras.ops.convert_to_numpy(values))
        for layer, (shape, values) in zip(chosen, outputs, strict=True)
    ]


def _spread(values: Sequence[Any], most: int) -> list[Any]:
    places = np.linspace(0, len(values) - 1, min(most, len(values))).round().astype(int)
    return [values[place] for place in places]


@contextmanager
def _recorded(chosen: Sequence[keras.layers.Layer], channels: int) -> Iterator[list[Any]]:
    """Yield a list that a call of the model fills with each layer's output shape and first channels.

    Keras has no hooks, and a model made of inner outputs cannot reach into a nested model. Therefore each
    layer's `call` is replaced until the context ends. Of a layer that is called more than once the first
    call counts.
    """
    outputs: list[Any] = [None] * len(chosen)

    def record(index: int, layer: keras.layers.Layer) -> None:
        call = layer.call

        def recording(*args: Any, **kwargs: Any) -> Any:
            output = call(*args, **kwargs)
            if outputs[index] is None:
                kept = output[..., :channels] if len(output.shape) == 4 else output  # frees the rest
                outputs[index] = (output.shape[1:], keras.ops.cast(kept, "float32"))
            return output

        layer.call = recording

    for index, layer in enumerate(chosen):
        record(index, layer)
    try:
        yield outputs
    finally:
        for layer in chosen:
            del layer.call
