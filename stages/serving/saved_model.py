"""TensorFlow's SavedModel, which TensorFlow Serving takes as it is.

Three signatures, each with a batch of any size B:

    serving_default  image, float32 [B, H, W, C], to probabilities, float32 [B, K]
    bytes            pictures, string [B], the bytes of files, to probabilities, and to class, string [B]
    pixels           pictures, string [B], to image, uint8 [B, H, W, C]: what `bytes` gives to the network
"""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from stages.serving import decoded, facts, job, runner

BYTES, PIXELS = "bytes", "pixels"


def write(given: job.Job, folder: Path) -> None:
    """Write a SavedModel into a folder, with the facts in its folder assets.extra."""
    known = given.facts
    names = tf.constant(known.classes)
    encoded = tf.TensorSpec([None], tf.string, name="pictures")

    def judge(image: tf.Tensor) -> dict[str, tf.Tensor]:
        return given.model(image, training=False)

    def decode(pictures: tf.Tensor) -> dict[str, tf.Tensor]:
        return {facts.IMAGE: decoded.images(pictures, known.image_shape, known.form)}

    def judge_pictures(pictures: tf.Tensor) -> dict[str, tf.Tensor]:
        judged = judge(tf.cast(decode(pictures)[facts.IMAGE], tf.float32))
        return {**judged, "class": tf.gather(names, tf.argmax(judged[facts.PROBABILITIES], axis=1))}

    archive = keras.export.ExportArchive()
    image = tf.TensorSpec([None, *known.image_shape], tf.float32, name=facts.IMAGE)
    archive.add_endpoint("serving_default", judge, [image])
    archive.add_endpoint(BYTES, judge_pictures, [encoded])
    archive.add_endpoint(PIXELS, decode, [encoded])
    archive.write_out(folder, verbose=False)
    facts.write(folder / facts.ASSETS, known)


def load(folder: Path) -> runner.Runner:
    """Load a SavedModel that `write` wrote."""
    loaded = tf.saved_model.load(folder)
    signatures = loaded.signatures

    def judge(images: np.ndarray) -> np.ndarray:
        return signatures["serving_default"](image=tf.constant(images))[facts.PROBABILITIES].numpy()

    def of_bytes(encoded: runner.Encoded, signature: str, output: str) -> np.ndarray:
        return signatures[signature](pictures=tf.constant(list(encoded)))[output].numpy()

    return runner.Runner(
        facts.read(folder / facts.ASSETS).classes,
        judge,
        runner.Pictures(
            images=lambda encoded: of_bytes(encoded, PIXELS, facts.IMAGE),
            probabilities=lambda encoded: of_bytes(encoded, BYTES, facts.PROBABILITIES),
            classes=lambda encoded: [name.decode() for name in of_bytes(encoded, BYTES, "class")],
        ),
    )
