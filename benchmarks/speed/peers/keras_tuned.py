"""The network in stock Keras at its best: the precision that is quick here, and tf.data of whole batches."""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from benchmarks.speed import peer
from stages.inputs import tfrecord
from stages.training import hardware

BATCH_SIZE = 128


def prepare(data: Path) -> peer.Peer:
    """The network, to be trained on `data`/subset/train."""
    keras.mixed_precision.set_dtype_policy(hardware.select("cpu", "auto").precision)
    keras.utils.set_random_seed(0)
    batches = _batches(
        np.load(data / "subset/train/images.npy"),
        np.load(data / "subset/train/labels.npy").astype(np.int32),
    )
    model = _model()

    def epoch() -> float:
        return model.fit(batches, epochs=1, verbose=0).history["loss"][0]

    def classify(images: np.ndarray) -> np.ndarray:
        return model.predict(images, verbose=0).argmax(axis=1)

    return peer.Peer(epoch, classify)


def _batches(images: np.ndarray, labels: np.ndarray) -> tf.data.Dataset:
    """Shuffled batches of uint8 pixels, gathered at once: image by image costs more than it trains."""
    pixels, classes = tf.constant(images), tf.constant(labels)
    indices = tf.data.Dataset.range(len(images)).shuffle(len(images)).batch(BATCH_SIZE)
    gathered = indices.map(lambda i: (tf.gather(pixels, i), tf.gather(classes, i)), num_parallel_calls=2)
    return tfrecord.untuned(gathered.prefetch(2))


def _model() -> keras.Model:
    inputs = keras.Input((32, 32, 3), dtype="uint8")
    x = keras.layers.Rescaling(1 / 255)(inputs)
    for filters in (32, 64, 128):
        x = keras.layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        x = keras.layers.BatchNormalization()(x)
        x = keras.layers.Conv2D(filters, 3, activation="relu")(x)
        x = keras.layers.MaxPooling2D()(x)
        x = keras.layers.Dropout(0.5)(x)
    x = keras.layers.Flatten()(x)
    model = keras.Model(inputs, keras.layers.Dense(3, dtype="float32")(x))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    return model
