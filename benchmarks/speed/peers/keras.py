"""The network in stock Keras, as tutorials write it, and at its best."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from benchmarks.speed import race
from stages.inputs import tfrecord
from stages.training import hardware


def tutorial(data: Path) -> race.Peer:
    """The network as tutorials train it: float32 arrays and model.fit."""
    images = _scaled(np.load(data / "subset/train/images.npy"))
    labels = keras.utils.to_categorical(np.load(data / "subset/train/labels.npy"), 3)
    model = _model([keras.Input((32, 32, 3))], keras.layers.Dense(3, activation="softmax"))
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    return _peer(model, _scaled, x=images, y=labels, batch_size=race.BATCH_SIZE)


def tuned(data: Path) -> race.Peer:
    """The network in the precision that is quick here, with tf.data of whole batches."""
    keras.mixed_precision.set_dtype_policy(hardware.select("cpu", "auto").precision)
    pixels = [keras.Input((32, 32, 3), dtype="uint8"), keras.layers.Rescaling(1 / 255)]
    model = _model(pixels, keras.layers.Dense(3, dtype="float32"))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    images = np.load(data / "subset/train/images.npy")
    labels = np.load(data / "subset/train/labels.npy").astype(np.int32)
    return _peer(model, np.asarray, x=_batches(images, labels))


def _scaled(images: np.ndarray) -> np.ndarray:
    return images.astype("float32") / 255


def _batches(images: np.ndarray, labels: np.ndarray) -> tf.data.Dataset:
    """Shuffled batches of uint8 pixels, gathered at once: image by image costs more than it trains."""
    pixels, classes = tf.constant(images), tf.constant(labels)
    indices = tf.data.Dataset.range(len(images)).shuffle(len(images)).batch(race.BATCH_SIZE)
    gathered = indices.map(lambda i: (tf.gather(pixels, i), tf.gather(classes, i)), num_parallel_calls=2)
    return tfrecord.untuned(gathered.prefetch(2))


def _model(first: Sequence[Any], last: keras.layers.Layer) -> keras.Model:
    keras.utils.set_random_seed(0)
    model = keras.Sequential(first)
    for filters in (32, 64, 128):
        model.add(keras.layers.Conv2D(filters, 3, padding="same", activation="relu"))
        model.add(keras.layers.BatchNormalization())
        model.add(keras.layers.Conv2D(filters, 3, activation="relu"))
        model.add(keras.layers.MaxPooling2D())
        model.add(keras.layers.Dropout(0.5))
    model.add(keras.layers.Flatten())
    model.add(last)
    return model


def _peer(model: keras.Model, prepared: Callable[[np.ndarray], np.ndarray], **data: Any) -> race.Peer:
    def epoch() -> float:
        return model.fit(**data, epochs=1, verbose=0).history["loss"][0]

    def classify(images: np.ndarray) -> np.ndarray:
        return model.predict(prepared(images), verbose=0).argmax(axis=1)

    return race.Peer(epoch, classify)
