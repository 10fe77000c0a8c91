"""Save a Keras model so that equal models are equal files."""

import importlib
import inspect
import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import keras

EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date a zip archive can hold


def save(model: keras.Model, path: Path) -> None:
    """Write a model in Keras's `.keras` format, without what differs from save to save.

    Keras notes when a model was saved, its zip members carry the current time, and objects that
    layers share are numbered by their address in memory, so that no two files are the same
    (https://github.com/keras-team/keras/issues/15143).
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


def _repeatable(document: bytes) -> bytes:
    values = json.loads(document)
    values.pop("date_saved", None)
    _renumber(values, {})
    _leave_out_defaults(values)
    return json.dumps(values, sort_keys=True).encode()


def _leave_out_defaults(value: Any) -> None:
    """Drop what is None by default from each object's configuration: older versions of Keras refuse names
    that they do not know, such as an initializer's `input_axes`."""
    if isinstance(value, list):
        for each in value:
            _leave_out_defaults(each)
    if isinstance(value, dict):
        _leave_out_defaults(list(value.values()))
        for name in _none_by_default(value):
            if name in value["config"] and value["config"][name] is None:
                del value["config"][name]


def _none_by_default(value: dict[str, Any]) -> list[str]:
    """The options that are None unless given, of the class that a serialized object names, if it does."""
    if not isinstance(value.get("config"), dict) or not value.get("module"):
        return []
    kind = getattr(importlib.import_module(value["module"]), value["class_name"], None)
    options = inspect.signature(kind).parameters.values() if inspect.isclass(kind) else ()
    return [option.name for option in options if option.default is None]


def _renumber(value: Any, numbers: dict[int, int]) -> None:
    """Number shared objects in the order in which they appear; equal numbers stay equal."""
    if isinstance(value, dict):
        if (address := value.get("shared_object_id")) is not None:
            value["shared_object_id"] = numbers.setdefault(address, len(numbers) + 1)
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            _renumber(each, numbers)
