"""The network as tutorials write it: Sequential, float32 arrays, model.fit; with oneDNN on."""

from pathlib import Path

import keras
import numpy as np

from benchmarks.speed import peer


def prepare(data: Path) -> peer.Peer:
    """The network, to be trained on `data`/subset/train."""
    images = np.load(data / "subset/train/images.npy").astype("float32") / 255
    labels = keras.utils.to_categorical(np.load(data / "subset/train/labels.npy"), 3)
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.layers.Input((32, 32, 3))])
    for filters in (32, 64, 128):
        model.add(keras.layers.Conv2D(filters, 3, padding="same", activation="relu"))
        model.add(keras.layers.BatchNormalization())
        model.add(keras.layers.Conv2D(filters, 3, activation="relu"))
        model.add(keras.layers.MaxPooling2D())
        model.add(keras.layers.Dropout(0.5))
    model.add(keras.layers.Flatten())
    model.add(keras.layers.Dense(3, activation="softmax"))
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])

    def epoch() -> float:
        return model.fit(images, labels, batch_size=128, epochs=1, verbose=0).history["loss"][0]

    def classify(images: np.ndarray) -> np.ndarray:
        return model.predict(images.astype("float32") / 255, verbose=0).argmax(axis=1)

    return peer.Peer(epoch, classify)
