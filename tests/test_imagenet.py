"""The check of EfficientNet-Lite0 on photographs, and PyTorch's side of it."""

import importlib.util

import numpy as np
import pytest

from benchmarks.pretrained import imagenet
from stages.backbones import efficientnet_lite0, torch_layers
from stages.running import errors
from tests import torch_files


def logits():
    """Logits whose largest are those of the expected classes, in their order."""
    values = np.zeros((len(imagenet.EXPECTED), 1000), np.float32)
    for row, classes in zip(values, imagenet.EXPECTED.values(), strict=True):
        row[list(classes)] = range(len(classes), 0, -1)
    return values


def test_the_expected_classes_pass():
    imagenet.require_classes(logits())


def test_other_classes_are_told():
    others = logits()
    others[1, 7] = 9
    with pytest.raises(
        errors.BadInput, match=r"flower\.jpg: expected the classes \[985, .* received \[7, 985"
    ):
        imagenet.require_classes(others)


def test_logits_may_differ_a_little():
    assert imagenet.require_equal(logits(), logits() + 5e-4) == pytest.approx(5e-4, rel=0.01)


@pytest.mark.parametrize("wrong", [0.01, np.nan])
def test_other_logits_are_told(wrong):
    with pytest.raises(errors.BadInput, match=r"expected PyTorch's logits within 0\.001"):
        imagenet.require_equal(logits(), logits() + wrong)


@pytest.mark.skipif(not importlib.util.find_spec("torch"), reason="needs torch")
def test_pytorch_and_keras_compute_the_same_features():
    import torch

    from benchmarks.pretrained import lite0_in_pytorch

    arrays = torch_files.lite0()
    images = np.random.default_rng(1).uniform(-1, 1, (2, 65, 64, 3)).astype(np.float32)
    model = efficientnet_lite0.create(include_top=False, weights=None, input_shape=images.shape[1:])
    torch_layers.assign(model, arrays, efficientnet_lite0.torch_name)
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    theirs = lite0_in_pytorch.features(tensors, torch.from_numpy(images).permute(0, 3, 1, 2))
    np.testing.assert_allclose(model(images, training=False), theirs.permute(0, 2, 3, 1), atol=1e-3)
