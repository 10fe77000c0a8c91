"""Tiny data that the real stages read: dark images of one class, light images of another."""

import hashlib
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from stages import records
from stages.inputs import arrays

# A GPU can only be hidden before TensorFlow's first operation, which other tests may run.
tf.config.set_visible_devices([], "GPU")

CLASSES = ["dark", "light"]
RECORDS: dict[str, Any] = {
    "normalize": "standardize",
    "augment": [{"flip_horizontal": {"probability": 0.5}}, {"translate": {"pixels": 1}}],
    "views": 2,
    "balance": "none",
    "encoding": "auto",
    "encoded": {"quality": 90, "short_side": None},
    "scheduler": None,
    "images_per_record": 5,
    "shards": 2,
    "seed": 0,
}
TRAINING: dict[str, Any] = {
    "classes": CLASSES,
    "form": None,
    "params": {
        "model": {"name": "dense", "units": []},
        "optimizer": {"name": "sgd", "learning_rate": 0.05},
        "epochs": 1,
        "select": "accuracy",
        "test_time_augmentation": 1,
    },
    "records": {
        "augment": RECORDS["augment"],
        "normalization": {"mean": [0.0], "method": "standardize", "std": [1.0]},
        "view_images": 24,
        "views": 2,
    },
    "calibration": None,
    "train_images": 24,
    "val_images": 8,
    "kept_epoch": 1,
}


def data_report(classes=tuple(CLASSES), test=10, **params):
    """Make the report that the subset stage would write of the data."""
    counts = {"train": 24, "val": 8, "test": test}
    return {
        "classes": list(classes),
        "contradictions": {"pictures": 0, "places": []},
        "dataset": "tiny",
        "pictures": {},
        "unused": {},
        "images": {split: dict.fromkeys(classes, count // len(classes)) for split, count in counts.items()},
        "params": {
            "classes": "all",
            "image_size": None,
            "resize": "squash",
            "background": "white",
            "near_duplicates": True,
            "conflicts": "keep",
            "decode": "auto",
            "limit_per_class": None,
            "seed": 0,
            "test_fraction": None,
            "val_fraction": 0.25,
            **params,
        },
        "repeated": {
            "test": {"within": 0},
            "train": {"dropped_for_test": [], "dropped_for_val": [], "within": 0},
            "val": {"dropped_for_test": [], "within": 0},
        },
    }


def subset(folder, train=24, val=8, test=10, shape=(8, 8, 1), form=None):
    """Write what the subset stage would write; return the folder."""
    generator = np.random.default_rng(0)
    for split, count in {"train": train, "val": val, "test": test}.items():
        labels = generator.permutation(np.arange(count) % 2)
        noise = generator.integers(0, 100, (count, *shape))
        images = (noise + 150 * labels[:, None, None, None]).astype(np.uint8)
        manifest = arrays.Manifest(classes=CLASSES, count=count, form=form, image_shape=list(shape))
        folder.mkdir(parents=True, exist_ok=True)
        arrays.write(folder / split, manifest, images, labels, generator.permutation(1000)[:count])
    return folder


def build_records(folder, subset, **changes):
    """Run the records stage on a subset; return the folder of its splits."""
    params = records.Params.model_validate({**RECORDS, **changes})
    records.records(params, subset.parent / "raw", subset, folder / "records", folder / "training_images.png")
    return folder / "records"


def digests(folder):
    """SHA-256 of every file in a folder, by relative path."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def nested_model(*inner, custom=False):
    """Pixels, rescaling, a model within a model, softmax: as the train stage nests them and deeper."""
    shape = (8, 8, 3)
    inputs = keras.Input(shape)
    x = inputs
    for layer in inner:
        x = layer(x)
    if custom:
        x = keras.ops.tanh(x) + keras.ops.mean(x, axis=-1, keepdims=True)
    backbone = keras.Model(inputs, x, name="backbone")
    images = keras.Input(shape)
    network = keras.Model(
        images, keras.layers.Dense(2, name="logits")(keras.layers.Flatten()(backbone(images))), name="network"
    )
    pixels = keras.Input(shape, dtype="uint8")
    return keras.Model(pixels, keras.layers.Softmax()(network(keras.layers.Rescaling(1 / 255)(pixels))))
