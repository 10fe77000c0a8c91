"""Layers are found by their kind, however deeply a model is nested."""

import keras

from stages.layers import find
from tests import tiny

L = keras.layers


def test_layers_of_a_kind_are_in_the_order_of_the_model():
    inside = keras.Sequential([L.DepthwiseConv2D(1, name="b"), L.MaxPooling2D(2, name="c")])
    model = tiny.nested_model(L.Conv2D(2, 1, name="a"), L.ReLU(), inside, L.SeparableConv2D(2, 1, name="d"))
    names = [layer.name for layer in find.of_kind(model, find.CONVOLUTIONS + find.POOLINGS)]
    assert names == ["a", "b", "c", "d"]
    assert [layer.name for layer in find.of_kind(model, find.DENSE)] == ["logits"]
    assert find.of_kind(model, (L.Embedding,)) == []
