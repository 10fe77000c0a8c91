"""Leave looks of the test-time augmentation out of a model: each look takes the whole network's time."""

import keras

from stages.running import errors

PAIR, ALL = "both_sides", "all_views"  # the layers that average the looks
LOOKS = (1, 2, 6)


def of(model: keras.Model) -> int:
    """Return the number of looks that a saved model takes at an image: 1, 2 or 6."""
    names = {layer.name for layer in model.layers}
    return 6 if ALL in names else 2 if PAIR in names else 1


def reduced(model: keras.Model, looks: int | None) -> keras.Model:
    """Return a model, with the same layers, that takes only the first looks at an image.

    Args:
        model: A saved model, from images [B, H, W, C] to probabilities [B, K].
        looks: 1, 2 or 6; None leaves the model as it is.

    Raises:
        errors.BadInput: the model takes fewer looks than that.
    """
    has = of(model)
    if looks is None or looks == has:
        return model
    if looks not in LOOKS or looks > has:
        able = " or ".join(str(each) for each in LOOKS if each <= has)
        raise errors.BadInput(
            f"--looks: expected {able}, since the model was made with train.test_time_augmentation: {has};"
            f" received {looks}"
        )
    left_out = {ALL} if looks == 2 else {ALL, PAIR}

    def call(layer: keras.layers.Layer, *arguments, **options):  # type: ignore[no-untyped-def]
        return arguments[0][0] if layer.name in left_out else layer(*arguments, **options)

    return keras.models.clone_model(model, clone_function=lambda layer: layer, call_function=call)
