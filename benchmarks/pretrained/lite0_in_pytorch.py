"""EfficientNet-Lite0 in PyTorch, in the functions of torch.nn.functional, from the published file."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

STRIDES = [1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1]  # of the blocks

Tensors = Mapping[str, torch.Tensor]


def logits(path: Path, pixels: np.ndarray) -> np.ndarray:
    """Return the logits of ImageNet's classes, float32 [N, 1000], for pixels 0..255 [N, H, W, 3]."""
    tensors = torch.load(path, weights_only=True)
    scaled = (torch.from_numpy(pixels).float() - 127) / 128
    pooled = features(tensors, scaled.permute(0, 3, 1, 2)).mean(dim=(2, 3))
    return functional.linear(pooled, tensors["_fc.weight"], tensors["_fc.bias"]).numpy()


def features(tensors: Tensors, x: torch.Tensor) -> torch.Tensor:
    """Return the features [N, 1280, H / 32, W / 32] of scaled images [N, 3, H, W]."""
    x = _convolved(tensors, "_conv_stem", "_bn0", x, stride=2).clamp(0, 6)
    for number, stride in enumerate(STRIDES):
        x = _block(tensors, f"_blocks.{number}.", x, stride)
    return _convolved(tensors, "_conv_head", "_bn1", x).clamp(0, 6)


def _block(tensors: Tensors, block: str, inputs: torch.Tensor, stride: int) -> torch.Tensor:
    x = inputs
    if f"{block}_expand_conv.weight" in tensors:
        x = _convolved(tensors, f"{block}_expand_conv", f"{block}_bn0", x).clamp(0, 6)
    x = _convolved(tensors, f"{block}_depthwise_conv", f"{block}_bn1", x, stride, groups=x.shape[1])
    x = _convolved(tensors, f"{block}_project_conv", f"{block}_bn2", x.clamp(0, 6))
    return x + inputs if x.shape == inputs.shape and stride == 1 else x


def _convolved(
    tensors: Tensors, convolution: str, norm: str, x: torch.Tensor, stride: int = 1, groups: int = 1
) -> torch.Tensor:
    """Pad as TensorFlow does, where the right and the lower edge get the larger half; convolve; normalize."""
    kernel = tensors[f"{convolution}.weight"]
    padding = []
    for size, width in ((x.shape[3], kernel.shape[3]), (x.shape[2], kernel.shape[2])):
        missing = max(0, (-(-size // stride) - 1) * stride + width - size)
        padding += [missing // 2, missing - missing // 2]
    x = functional.conv2d(functional.pad(x, padding), kernel, stride=stride, groups=groups)
    parts = [tensors[f"{norm}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
    return functional.batch_norm(x, *parts, eps=1e-3)
