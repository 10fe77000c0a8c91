"""This project: what `dvc repro` trains with configs/cifar10-three-classes.yaml, epoch by epoch."""

import itertools
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from benchmarks import peer
from stages import train
from stages.inputs import tfrecord
from stages.running import paramfile
from stages.training import hardware

MOST_EPOCHS = 1000  # that a benchmark may ask for


def prepare(data: Path) -> peer.Peer:
    """The network, to be trained on `data`/records/train.

    It puts together the train stage's own functions as the stage does.
    """
    params = paramfile.read(train.Params, "train", data / "params.yaml")
    records = data / "records/train"
    manifest = tfrecord.read_manifest(records)
    chosen = hardware.select("cpu", params.precision)
    keras.mixed_precision.set_dtype_policy(chosen.precision)
    keras.utils.set_random_seed(params.seed)
    if params.deterministic:
        tf.config.experimental.enable_op_determinism()
    architecture, options = train._architecture(params.model)
    network = architecture.build(manifest["image_shape"], len(manifest["classes"]), options)
    logits, tested, classifier = train._with_pixels_in(network, manifest, params.test_time_views)
    trainer, *_ = train._trainers(params, network, logits, tested, manifest["count"], chosen, "stepwise")
    batches = train._streamed(records, manifest, params.batch_size, range(MOST_EPOCHS), params.seed)
    numbers = itertools.count()

    def epoch() -> float:
        number = next(numbers)
        return trainer.train_epoch(batches(number), manifest["count"], f"epoch {number + 1}")["loss"]

    def classify(images: np.ndarray) -> np.ndarray:
        return classifier.predict(images, verbose=0).argmax(axis=1)

    return peer.Peer(epoch, classify)
