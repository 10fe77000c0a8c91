"""A small model in a folder, as the train stage leaves it."""

import keras
import numpy as np

from stages.classifier import assembly, provenance, saving, validation
from stages.inputs import manifest
from tests import tiny

CLASSES = ["ant", "bee", "cat", "dog"]
SHAPE = (12, 10, 3)
FORM = {"background": "#ffffff", "resize": "pad"}


def write(folder, classes=CLASSES, shape=SHAPE, form=FORM, seed=0):
    """Write a model of random weights, and its training.json; return the folder."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    images = keras.Input(shape)
    features = keras.layers.Conv2D(8, 3, activation="relu")(images)
    logits = keras.layers.Dense(len(classes))(keras.layers.Flatten()(features))
    constants = manifest.Normalization(method="standardize", mean=[120.0] * shape[2], std=[60.0] * shape[2])
    classifier = assembly.assemble(keras.Model(images, logits), shape, constants, 2)
    folder.mkdir(parents=True, exist_ok=True)
    saving.save(classifier.probabilities, folder / "model.keras")
    values = {**tiny.TRAINING, "classes": list(classes), "form": form}
    provenance.write(folder, provenance.Training.model_validate(values))
    sure = np.linspace(0.26, 1, 400)
    rows = np.stack([sure, *[(1 - sure) / (len(classes) - 1)] * (len(classes) - 1)], axis=1)
    validation.write(folder, np.where(sure > 0.5, 0, 1), rows)  # right where the confidence is above a half
    return folder
