"""The params of the stage subset as tests have them, and what it writes."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np

DEFAULTS = {
    "classes": "all",
    "image_size": None,
    "resize": "squash",
    "channels": None,
    "background": "white",
    "limit_per_class": None,
    "val_fraction": 0.2,
    "test_fraction": None,
    "near_duplicates": True,
    "conflicts": "keep",
    "decode": "auto",
    "seed": 0,
}
SPLITS = ["train", "val", "test"]
CARVED = {"val_fraction": 0.3, "test_fraction": 0.3}  # of own pictures without folders of splits


def read(folder: Path) -> dict[str, SimpleNamespace]:
    """The arrays and the manifest of each split."""
    return {
        split: SimpleNamespace(
            **{name: np.load(folder / split / f"{name}.npy") for name in ("images", "labels", "positions")},
            manifest=json.loads((folder / split / "manifest.json").read_text()),
        )
        for split in SPLITS
    }
