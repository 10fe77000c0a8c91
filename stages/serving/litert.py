"""LiteRT (TensorFlow Lite), for phones and small machines, in float32 or in whole numbers of 8 bits."""

import tempfile
import warnings
from pathlib import Path

import numpy as np
import tensorflow as tf
from ai_edge_litert import interpreter
from tensorflow.lite.python.convert_phase import ConverterError

from stages.running import cores, errors
from stages.serving import facts, job, runner

FILE = "model.tflite"
SHOWN = 3  # operations in an error


def write(given: job.Job, folder: Path) -> None:
    """Write model.tflite into a folder, and the facts beside it.

    Only LiteRT's own operations are allowed: nothing runs those that it borrows from TensorFlow ("Flex").

    Raises:
        errors.BadInput: the network needs other operations.
    """
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        given.model.export(scratch, format="tf_saved_model", verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(scratch)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        if given.facts.precision == "int8":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda: ({facts.IMAGE: each} for each in given.samples())
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        (folder / FILE).write_bytes(_converted(converter))
    facts.write(folder, given.facts)


def _converted(converter: tf.lite.TFLiteConverter) -> bytes:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of an interpreter that only TensorFlow itself uses
            return converter.convert()
    except ConverterError as error:
        lines = [line.strip() for line in str(error).splitlines()]
        others = sorted({line.split("(")[0] for line in lines if line.startswith("tf.")})
        said = ", ".join(others[:SHOWN]) or lines[0]
        raise errors.BadInput(
            f"expected a network of operations that LiteRT has, received one with {said}; export it to"
            " saved_model, or choose another network"
        ) from error


def load(folder: Path) -> runner.Runner:
    """Load a model that `write` wrote, in LiteRT's interpreter, and the facts beside it."""
    loaded = interpreter.Interpreter(str(folder / FILE), num_threads=cores.usable())
    judge = loaded.get_signature_runner()

    def probabilities(images: np.ndarray) -> np.ndarray:
        return judge(**{facts.IMAGE: images})[facts.PROBABILITIES]

    return runner.Runner(facts.read(folder).classes, probabilities)
