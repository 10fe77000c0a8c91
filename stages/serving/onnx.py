"""ONNX, for ONNX Runtime and for converters to other formats."""

import json
import warnings
from pathlib import Path

import keras
import onnx
import onnxruntime
import tf2onnx as tf2onnx  # which Keras imports when it exports
from onnxruntime.capi import onnxruntime_pybind11_state as faults

from stages.running import cores, errors
from stages.serving import facts, job, runner

FILE = "model.onnx"
BATCH = "batch"  # the name of the free dimension
UNABLE = (faults.Fail, faults.InvalidGraph, faults.InvalidArgument, faults.NotImplemented)


def write(given: job.Job, folder: Path) -> None:
    """Write model.onnx into a folder, with the facts in its metadata and beside it.

    The metadata have a property for each fact, as JSON.
    """
    path = folder / FILE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of NumPy, at which Keras's exporter looks
        image = keras.InputSpec("float32", (None, *given.facts.image_shape), name=facts.IMAGE)
        given.model.export(path, format="onnx", verbose=False, input_signature=[image])
    model = onnx.load(path)
    for tensor in (*model.graph.input, *model.graph.output):
        tensor.type.tensor_type.shape.dim[0].dim_param = BATCH
    described = given.facts.model_dump()
    onnx.helper.set_model_props(model, {key: json.dumps(value) for key, value in described.items()})
    onnx.save(model, path)
    facts.write(folder, given.facts)


def load(folder: Path) -> runner.Runner:
    """Load a model that `write` wrote, in ONNX Runtime on the processor.

    Raises:
        errors.BadInput: ONNX Runtime cannot compute an operation of the model.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = cores.usable()
    path = str(folder / FILE)
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except UNABLE as error:
        said = str(error).splitlines()[0]
        raise errors.BadInput(
            f"expected a network of operations that ONNX has, received another: {said}; export it to"
            " saved_model, or choose another network"
        ) from error
    properties = session.get_modelmeta().custom_metadata_map
    return runner.Runner(
        json.loads(properties["classes"]),
        lambda images: session.run([facts.PROBABILITIES], {facts.IMAGE: images})[0],
    )
