"""MobileNetV2 fine-tuned as Keras's guide to transfer learning writes it: all layers, float32, model.fit."""

import functools
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from benchmarks.speed import race

BATCH_SIZE = 32


def prepare(data: Path, trains_norms: bool = True) -> race.Peer:
    """The network, to be trained on `data`/subset/train; perhaps without its batch normalizations."""
    images, labels = (np.load(data / f"subset/train/{name}.npy") for name in ("images", "labels"))
    keras.utils.set_random_seed(0)
    shape = images.shape[1:]
    backbone = keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=shape)
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = trains_norms
    inputs = keras.Input(shape)
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(inputs)
    x = backbone(x, training=False)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dropout(0.2)(x)
    model = keras.Model(inputs, keras.layers.Dense(3)(x))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-5), loss, metrics=[keras.metrics.SparseCategoricalAccuracy()])
    dataset = tf.data.Dataset.from_tensor_slices((images, labels.astype(np.int32)))
    batches = dataset.batch(BATCH_SIZE).prefetch(tf.data.AUTOTUNE)

    def epoch() -> float:
        return model.fit(batches, epochs=1, verbose=0).history["loss"][0]

    def classify(images: np.ndarray) -> np.ndarray:
        return model.predict(images, verbose=0).argmax(axis=1)

    return race.Peer(epoch, classify)


frozen = functools.partial(prepare, trains_norms=False)
