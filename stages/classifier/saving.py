"""Save a Keras model so that equal models are equal files, and load one with checks."""

import json
import re
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from stages.running import documents, ellipsis, errors, outputs

NEWER_OPTIONS = {
    "antialias": False,
    "input_axes": None,
    "output_axes": None,
    "quantization_config": None,
    "renorm": False,
    "renorm_clipping": None,
    "renorm_momentum": 0.99,
}
OLDEST_KERAS = "3.8"  # that loads what `save` has saved
OPERATIONS = "keras.src.ops."  # the module of operations on arrays, within a model
# What Keras raises for a file that is no model, or a damaged or foreign one.
UNREADABLE = (AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError, zipfile.BadZipFile)
SHOWN = 300  # characters of what Keras says, in an error
EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date a zip archive can hold


def save(model: keras.Model, path: Path) -> None:
    """Write a model in Keras's `.keras` format, without anything that differs from save to save.

    Keras's own files are never the same (https://github.com/keras-team/keras/issues/15143): Keras notes when
    a model was saved, the zip members carry the current time, and objects that layers share are numbered by
    their address in memory.
    """
    with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        stamped = Path(scratch) / "stamped.keras"
        model.save(stamped)
        with zipfile.ZipFile(stamped) as source, zipfile.ZipFile(path, "w") as target:
            for name in sorted(source.namelist()):
                content = source.read(name)
                if name.endswith(".json"):
                    content = _repeatable(content)
                target.writestr(zipfile.ZipInfo(name, EPOCH), content)


def load(path: Path, image_shape: Sequence[int] | None, num_classes: int) -> keras.Model:
    """Load a model for images of one shape and a number of classes.

    Args:
        path: A `.keras` file.
        image_shape: (H, W, C); None for that of the model, whatever it is.
        num_classes: K.

    Raises:
        errors.BadInput: the file holds no Keras model, or one that is for other images or classes or whose
            weights are not finite.
    """
    try:
        documents.require_file(path)
        model = keras.models.load_model(path, compile=False)
    except UNREADABLE as error:
        said = ellipsis.cut(" ".join(str(error).split()), SHOWN)
        raise errors.BadInput(f"{path}: expected a Keras model: {said}; {outputs.RERUN}") from error
    received = (tuple(model.input_shape[1:]), model.output_shape[-1])
    expected = (received[0] if image_shape is None else tuple(image_shape), num_classes)
    if received != expected:
        raise errors.BadInput(
            f"{path}: expected a model for images {expected[0]} and {expected[1]} classes,"
            f" received one for images {received[0]} and {received[1]} classes"
        )
    if damaged := [weight.path for weight in model.weights if not np.isfinite(np.asarray(weight)).all()]:
        raise errors.BadInput(f"{path}: expected finite weights, found others in {damaged[0]}; train again")
    return model


def _repeatable(document: bytes) -> bytes:
    values = json.loads(document)
    values.pop("date_saved", None)
    _renumber(values, {})
    _leave_out_newer_options(values)
    _leave_out_names_of_operations(values)
    return json.dumps(values, sort_keys=True).encode()


def _leave_out_newer_options(value: Any) -> None:
    """Drop the options of NEWER_OPTIONS that have their default value from the configuration of each object.

    Keras 3.8 to 3.11 do not know all of these options, and a version of Keras refuses any name that it does
    not know.
    """
    if isinstance(value, list):
        for each in value:
            _leave_out_newer_options(each)
    if isinstance(value, dict):
        _leave_out_newer_options(list(value.values()))
        if isinstance(config := value.get("config"), dict):
            for name in [name for name, default in NEWER_OPTIONS.items() if config.get(name, "") == default]:
                del config[name]


def _leave_out_names_of_operations(value: Any) -> None:
    """Drop the names of operations, such as Min, which Keras 3.10 and older cannot give to them.

    When the model is loaded, Keras names them again; the model refers to them by names beside their
    configurations. A name stays if a layer of the same model could have the new one.
    """
    if isinstance(value, dict):
        layers = value.get("layers")
        value = list(value.values())
        if isinstance(layers, list):
            named = [
                each for each in layers if isinstance(each, dict) and isinstance(each.get("config"), dict)
            ]
            taken = {_stem(each) for each in named if not _is_operation(each)}
            for operation in filter(_is_operation, named):
                if _stem(operation) not in taken:
                    operation["config"].pop("name", None)
    if isinstance(value, list):
        for each in value:
            _leave_out_names_of_operations(each)


def _is_operation(layer: dict) -> bool:
    return str(layer.get("module")).startswith(OPERATIONS)


def _stem(layer: dict) -> str:
    """Return a layer's name without the number that Keras adds to the name of its class."""
    return re.sub(r"_\d+$", "", str(layer["config"].get("name")))


def _renumber(value: Any, numbers: dict[int, int]) -> None:
    """Number shared objects in the order in which they appear; equal numbers remain equal."""
    if isinstance(value, dict):
        if (address := value.get("shared_object_id")) is not None:
            value["shared_object_id"] = numbers.setdefault(address, len(numbers) + 1)
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            _renumber(each, numbers)
