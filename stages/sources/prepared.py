"""Open a folder that tensorflow-datasets (TFDS) prepared as data only: no code that it names is run."""

import contextlib
import importlib
import json
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds
from google.protobuf import json_format, message

from stages.running import documents, errors

# The exceptions that TFDS, protobuf and array_record raise for files that are absent or damaged.
DAMAGED = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NotImplementedError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    json_format.Error,
    message.Error,
)
# TFDS imports the module of each class that these keys name: two spellings of protobuf, and one of TFDS 4.0.
CLASS_KEYS = {"pythonClassName", "python_class_name", "type"}
EXPECTED = "expected a dataset that TFDS prepared as array_record"


def builder(folder: Path) -> tfds.core.DatasetBuilder:
    """Return TFDS's reader of a prepared dataset.

    Raises:
        errors.BadInput: array_record is not installed, or the folder holds no prepared dataset, or one that
            is damaged or has features that are not TFDS's own.
    """
    require_array_record()
    try:
        foreign = sorted(_class_names(folder) - _own_classes())
        if not foreign:
            return tfds.builder_from_directory(folder)
    except DAMAGED as error:
        raise refusal(f"{folder}: {EXPECTED}", error) from error
    raise errors.BadInput(f"{folder}: expected only features of TFDS itself, found {', '.join(foreign)}")


def records(builder: tfds.core.DatasetBuilder, split: str) -> Sequence[bytes]:
    """Return the serialized examples of a split as a sequence that reads each one when it is indexed.

    Raises:
        errors.BadInput: the examples are in another format than array_record.
    """
    try:
        return builder.as_data_source(split, deserialize_method=tfds.decode.DeserializeMethod.RAW_BYTES)
    except DAMAGED as error:
        raise refusal(f"{builder.data_dir}: {EXPECTED}", error) from error


def require_array_record() -> None:
    """Check that array_record, the package that reads TFDS's prepared files, can be imported.

    Raises:
        errors.BadInput: the package cannot be imported.
    """
    try:
        importlib.import_module("array_record.python.array_record_data_source")
    except ImportError as error:
        raise errors.BadInput(
            f"TFDS datasets need the package array_record, which cannot be imported ({error});"
            " `pip install array_record` installs it on Linux and on Macs with Apple silicon;"
            " elsewhere use Linux, for example in WSL or a container"
        ) from error


def refusal(expected: str, error: Exception) -> errors.BadInput:
    """Return an error that says in one line what was expected and why TFDS failed."""
    return errors.BadInput(f"{expected}: {textwrap.shorten(str(error), 600)}")


def _own_classes() -> set[str]:
    classes: list[Any] = [each for each in vars(tfds.features).values() if isinstance(each, type)]
    own = [each for each in classes if issubclass(each, tfds.features.FeatureConnector)]
    return {name for each in own for name in [f"{each.__module__}.{each.__name__}", *each.ALIASES]}


def _class_names(folder: Path) -> set[str]:
    """Return the feature classes that the metadata of a prepared dataset names."""
    for path in folder.iterdir():
        if not path.is_file() and not path.is_dir():
            raise OSError(f"{path.name} is no plain file")
    features = documents.parse_json(documents.read(folder / "features.json"))
    info = documents.parse_json(documents.read(folder / "dataset_info.json"))
    return {*_named(features), *_named(info.get("features"))}


def _named(value: Any) -> Iterator[str]:
    """Yield the class names in a JSON value and in the JSON texts inside it."""
    if isinstance(value, dict):
        yield from (each for key, each in value.items() if key in CLASS_KEYS and isinstance(each, str))
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _named(each)
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            yield from _named(json.loads(value))
