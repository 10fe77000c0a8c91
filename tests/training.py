"""The train stage on tiny data: parameters that train fast, and what a training left."""

from typing import Any

import keras
import pandas as pd

from stages import train
from stages.running import paramfile

# Options that make each architecture small.
OPTIONS: dict[str, dict[str, Any]] = {
    "airbench": {
        "widths": [4, 6],
        "depth": 2,
        "activation": "relu",
        "whiten": True,
        "whitening_bias": True,
        "identity": True,
        "batch_norm_momentum": 0.6,
        "logit_scale": 0.1,
        "dropout": 0.0,
    },
    "dense": {"units": [6, 5], "dropout": 0.5},
    "simple_cnn": {"filters": [4, 6], "kernel_size": 3, "units": [5], "dropout": 0.5},
    "three_block_cnn": {"filters": [4, 6], "dropout": 0.5, "batch_norm_momentum": 0.9},
    "transfer": {"backbone": "VGG16", "weights": "none", "image_size": 32, "dropout": 0.5},
}
TRANSFER = {"name": "transfer", **OPTIONS["transfer"], "dropout": 0.2}
PARAMS: dict[str, Any] = {
    "model": {"name": "three_block_cnn", "filters": [4], "dropout": 0.2, "batch_norm_momentum": 0.9},
    "weights": "data/weights",
    "optimizer": {
        "name": "adam",
        "learning_rate": 0.02,
        "momentum": 0.9,
        "weight_decay": 0.0,
        "bias_scale": 1.0,
        "head_scale": 1.0,
    },
    "schedule": {"name": "cosine", "warmup_epochs": 1, "final_fraction": 0.0},
    "fine_tuning": {"head_epochs": 0, "learning_rate_scale": 0.1},
    "l1": 0.0,
    "l2": 0.0,
    "label_smoothing": 0.0,
    "class_weight": "none",
    "epochs": 2,
    "batch_size": 8,
    "test_time_augmentation": 1,
    "calibrate": "temperature",
    "select": "accuracy",
    "average": None,
    "patience": None,
    "device": "cpu",
    "precision": "float32",
    "strategy": "auto",
    "worker_seconds": 60,
    "resident": "auto",
    "deterministic": True,
    "seed": 0,
}


def run(records, folder, **changes):
    """Train as the stage does; return the folder of everything it wrote."""
    params = paramfile.check(train.Params, PARAMS | changes, "train")
    train.train(params, records / "train", records / "val", folder / "model", folder / "history.csv")
    return folder


def load(folder):
    """The model that a training left."""
    return keras.models.load_model(folder / "model" / "model.keras")


def history(folder):
    """The learning curves that a training left."""
    return pd.read_csv(folder / "history.csv")
