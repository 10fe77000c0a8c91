"""Turn models with this project's faster layers into models with only Keras's own, which load anywhere."""

import keras


def with_stock_layers(model: keras.Model) -> keras.Model:
    """Return the same model and weights, with every layer replaced by the layer of Keras it names as `stock`.

    Layers that name none stay. A model of another class than Keras's own becomes a plain model, too.
    """
    clone = keras.models.clone_model(model, clone_function=_stock)
    if not isinstance(clone, keras.Sequential):
        clone = keras.Model(clone.input, clone.output, name=clone.name)
    clone.set_weights(model.get_weights())
    return clone


def _stock(layer: keras.layers.Layer) -> keras.layers.Layer:
    if isinstance(layer, keras.Model):
        return with_stock_layers(layer)
    kind = getattr(layer, "stock", type(layer))
    return kind.from_config(layer.get_config())
