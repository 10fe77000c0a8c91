"""Leave out what makes a model take images of any usual scale: whole numbers of 8 bits cannot tell scales."""

import keras

from stages.running import errors


def of(model: keras.Model) -> keras.Model:
    """Return a model, with the same layers, that takes only pixels of 0 to 255, and answers to all of them.

    Args:
        model: A saved model, from images [B, H, W, C] to probabilities [B, K].

    Raises:
        errors.BadInput: the model does not begin with a normalization.
    """
    first = next((each for each in model.layers if isinstance(each, keras.layers.Normalization)), None)
    if first is None:
        raise errors.BadInput("expected a model that the train stage saved, received one of other layers")
    inner = keras.Model(first.input, model.get_layer("probabilities").output)
    image = keras.Input(model.input_shape[1:], name="image")
    return keras.Model(image, inner(image), name=model.name)
