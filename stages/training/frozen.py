"""Cut a classifier behind its frozen part, which makes the same of an image in every epoch."""

import math
from typing import NamedTuple

import keras

from stages.classifier import assembly, test_time_augmentation
from stages.layers import inference_mode

BACKBONE = "backbone"  # the name of a model's pretrained part


class Parts(NamedTuple):
    """A classifier in two pieces each for training and testing; the features are what lies between them."""

    features: keras.Model  # uint8 [B, H, W, C] to features, float [B, ...]
    looks: keras.Model  # uint8 [B, H, W, C] to the features of L looks at each image, float [B, L, ...]
    logits: keras.Model  # features to logits, float32 [B, K]
    tested: keras.Model  # features of L looks to the mean of their logits, float32 [B, K]
    backbone_values: int  # values of an image as the backbone takes it


def cut(
    network: keras.Model, classifier: assembly.Classifier, looks: test_time_augmentation.Looks
) -> Parts | None:
    """Cut a classifier behind its network's backbone, and behind the layers without variables that follow.

    Args:
        network: The network of the classifier.
        classifier: As `assembly.assemble` made it of the network.
        looks: The number of looks at an image in test-time augmentation.

    Returns:
        The parts, which share the classifier's weights. None if a layer before the head may make another
        thing of the same image, because the backbone is not an `InferenceMode` or another layer has
        variables, or if the layers behind the backbone form no chain.
    """
    found = _head(network)
    if found is None:
        return None
    between, backbone = found
    stump, head = keras.Model(network.input, between), keras.Model(between, network.output)
    pixels = classifier.logits.input
    normalized = classifier.normalize(pixels)
    seen = [stump(look) for look in test_time_augmentation.looked_at(normalized, looks)]
    given = keras.Input((looks, *between.shape[1:]), dtype=between.dtype)
    judged = test_time_augmentation.average([head(given[:, look]) for look in range(looks)])
    return Parts(
        features=keras.Model(pixels, stump(normalized)),
        looks=keras.Model(pixels, keras.ops.stack(seen, axis=1)),
        logits=head,
        tested=keras.Model(given, judged),
        backbone_values=math.prod(backbone.input_shape[1:]),
    )


def _head(network: keras.Model) -> tuple[keras.KerasTensor, keras.Model] | None:
    """Find the tensor that enters the head, and the backbone; None if the features may change."""
    tensor, between, behind = network.output, None, []
    while (operation := tensor._keras_history.operation).name != BACKBONE:
        inputs = operation._inbound_nodes[tensor._keras_history.node_index].input_tensors
        if len(inputs) != 1:
            return None
        (tensor,) = inputs
        between = tensor if _has_variables(operation) else between
        behind.append(operation)
    before = [each for each in network.operations if each not in behind and each is not operation]
    is_fixed = isinstance(operation, inference_mode.InferenceMode) and not any(map(_has_variables, before))
    return (between, operation) if is_fixed and between is not None else None


def _has_variables(operation: keras.Operation) -> bool:
    """True if it has weights or draws at random: a seed is a variable, too."""
    return bool(getattr(operation, "variables", []))
