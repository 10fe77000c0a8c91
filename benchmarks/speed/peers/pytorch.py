"""The network in PyTorch at its best: the precision that is quick here, channels last, batches sliced from
memory."""

import functools
from pathlib import Path

import numpy as np
import torch
from torch import nn

from benchmarks.speed import race
from stages.training import hardware


def prepare(data: Path, is_compiled: bool = False) -> race.Peer:
    """The network, to be trained on `data`/subset/train; its passes forward and backward can be compiled."""
    torch.manual_seed(0)
    images = torch.from_numpy(np.load(data / "subset/train/images.npy").astype(np.float32) / 255)
    labels = torch.from_numpy(np.load(data / "subset/train/labels.npy"))
    model = _model().to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7, fused=True)
    loss_function = nn.CrossEntropyLoss()
    # dynamic=False: the epoch's smaller last batch gets code of its own, the others keep theirs.
    network = torch.compile(model, dynamic=False) if is_compiled else model
    is_autocast = hardware.select("cpu", "auto").precision == "mixed_bfloat16"

    def epoch() -> float:
        model.train()
        total = torch.zeros(())
        for batch in torch.randperm(len(images)).split(race.BATCH_SIZE):
            # [B, H, W, C] seen as [B, C, H, W] is channels last.
            pixels, classes = images[batch].permute(0, 3, 1, 2), labels[batch]
            optimizer.zero_grad()
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=is_autocast):
                loss = loss_function(network(pixels), classes)
            loss.backward()
            optimizer.step()
            total += loss.detach() * len(batch)
        return float(total) / len(images)

    def classify(images: np.ndarray) -> np.ndarray:
        model.eval()
        pixels = torch.from_numpy(images.astype(np.float32) / 255).permute(0, 3, 1, 2)
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=is_autocast):
            found = [model(batch).argmax(dim=1) for batch in pixels.split(500)]
        return torch.cat(found).numpy()

    return race.Peer(epoch, classify)


compiled = functools.partial(prepare, is_compiled=True)


def _model() -> nn.Sequential:
    layers: list[nn.Module] = []
    channels = 3
    for filters in (32, 64, 128):
        layers += [
            nn.Conv2d(channels, filters, 3, padding="same"),
            nn.ReLU(),
            nn.BatchNorm2d(filters, eps=1e-3, momentum=0.01),  # Keras's defaults
            nn.Conv2d(filters, filters, 3),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Dropout(0.5),
        ]
        channels = filters
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * 2 * 2, 3))
    for module in model:
        if isinstance(module, nn.Conv2d | nn.Linear):  # Keras's initialization
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
    return model
