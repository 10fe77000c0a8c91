"""Any image-classification dataset of https://www.tensorflow.org/datasets, as `tfds:<name>`.

The raw files are those that tensorflow-datasets prepares, in its array_record format, which is read
at random and without TensorFlow. TFDS checks every download against its registered checksums.
"""

import importlib.util
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from google.protobuf import json_format

from stages.datasets import pictures
from stages.running import errors

OWN_FEATURES = re.compile(r"tensorflow_datasets\.(core\.)?features\.[\w.]+")
UNREADABLE = (OSError, NotImplementedError, RuntimeError, ValueError, KeyError, json_format.ParseError)
CLASS_KEYS = {"pythonClassName", "python_class_name", "type"}


def urls(name: str, data_dir: Path) -> list[str]:
    """The URLs that TFDS has registered for a dataset; none if it is prepared already.

    Raises:
        errors.BadInput: TFDS knows no such dataset, or it has no pictures with a class each.
    """
    builder = _builder(name, data_dir)
    return [] if builder.info.splits else sorted(builder.url_infos or {})


def prepare(name: str, data_dir: Path) -> Path:
    """Download and prepare a dataset below `data_dir`, unless it is there; return its folder.

    Raises:
        errors.BadInput: TFDS knows no such dataset, or cannot fetch or prepare it.
    """
    if not sys.stderr.isatty():
        tfds.disable_progress_bar()
    builder = _builder(name, data_dir)
    failures = (
        AssertionError,  # how TFDS says that files must be fetched by hand
        OSError,
        tfds.download.DownloadError,
        tfds.download.download_manager.NonMatchingChecksumError,
    )
    try:
        builder.download_and_prepare(file_format="array_record")
    except failures as error:
        raise errors.BadInput(f"tensorflow-datasets could not prepare {name}: {error}") from error
    return Path(builder.data_dir)


def _builder(name: str, data_dir: Path) -> tfds.core.DatasetBuilder:
    _require_array_record()
    try:
        builder = tfds.builder(name, data_dir=data_dir, file_format="array_record")
    except tfds.core.DatasetNotFoundError:
        raise errors.unknown("TFDS dataset", name, tfds.list_builders()) from None
    except (AssertionError, ValueError) as error:  # how TFDS refuses a version or a configuration
        raise errors.BadInput(f"tensorflow-datasets cannot load {name}: {error}") from error
    _check_features(builder)
    return builder


def read(folder: Path) -> tuple[list[str], dict[str, tuple["Images", np.ndarray]]]:
    """Open a prepared dataset.

    Returns:
        The class names, and for each published split the images (decoded when indexed) and labels
        (int64 [N]) in their stored order.

    Raises:
        errors.BadInput: the folder holds no prepared dataset, a damaged one, one in another format, or
            one without uint8 images and class labels.
    """
    builder = _opened(folder)
    _check_features(builder)
    channels = builder.info.features["image"].shape[-1]
    undecoded = {"image": tfds.decode.SkipDecoding()}
    splits = {}
    try:
        for split in builder.info.splits:
            source = builder.as_data_source(split, decoders=undecoded)
            labels = [example["label"] for example in source]
            splits[split] = Images(source, split, channels), np.array(labels, np.int64)
    except (OSError, NotImplementedError, RuntimeError) as error:  # of TFDS and of array_record
        raise _no_dataset(folder, error) from error
    return list(builder.info.features["label"].names), splits


def require(name: str, folder: Path) -> None:
    """Check that a folder holds the prepared dataset `name`, given as TFDS takes it. A configuration or a
    version that the name leaves out may be any.

    Raises:
        errors.BadInput: it holds another one, or see `read`.
    """
    read(folder)
    builder = _opened(folder)
    wanted, options = tfds.core.naming.parse_builder_name_kwargs(name)
    found = {
        "config": builder.builder_config and builder.builder_config.name,
        "version": str(builder.version),
    }
    differs = any(found[key] != str(options[key]) for key in found if options.get(key) is not None)
    if differs or builder.name != str(wanted):
        other = "/".join(filter(None, (builder.name, found["config"])))
        raise errors.BadInput(f"{folder}: expected TFDS dataset {name!r}, found '{other}:{found['version']}'")


def _opened(folder: Path) -> tfds.core.DatasetBuilder:
    _require_array_record()
    _require_own_features(folder)
    try:
        return tfds.builder_from_directory(folder)
    except UNREADABLE as error:
        raise _no_dataset(folder, error) from error


def _no_dataset(folder: Path, error: Exception) -> errors.BadInput:
    return errors.BadInput(f"{folder}: expected a dataset that TFDS prepared as array_record: {error}")


def _require_array_record() -> None:
    if not importlib.util.find_spec("array_record"):
        raise errors.BadInput(
            "TFDS datasets are read with the package array_record, which is not installed: run"
            " `pip install array_record`, which is built for Linux and macOS, or take another dataset"
        )


def _require_own_features(folder: Path) -> None:
    """An archive is data: TFDS would import whatever module its feature classes are said to be of."""
    path = folder / "features.json"
    try:
        described = json.loads(path.read_bytes()) if path.is_file() else {}
        if not isinstance(described, dict):
            raise ValueError(f"{path.name} holds no JSON object")
        named = _class_names(described)
        foreign = [name for name in named if not OWN_FEATURES.fullmatch(name)]
    except (ValueError, RecursionError) as error:
        raise _no_dataset(folder, error) from error
    if foreign:
        raise errors.BadInput(
            f"{path}: expected only TFDS's own feature classes, found {foreign[0]!r}; a dataset from others"
            " may not bring code"
        )


def _class_names(value: Any) -> Iterator[str]:
    """Every class name in the description of features, as TFDS writes them now and wrote them before."""
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for child in children:
        yield from _class_names(child)
    for key in CLASS_KEYS & value.keys() if isinstance(value, dict) else ():
        yield str(value[key])


def _check_features(builder: tfds.core.DatasetBuilder) -> None:
    """What is known before anything is fetched: whether there are pictures of 8 bits with a class each."""
    features = builder.info.features
    if not isinstance(features, tfds.features.FeaturesDict) or not {"image", "label"} <= set(features):
        found = list(features) if isinstance(features, tfds.features.FeaturesDict) else features
        raise errors.BadInput(
            f"TFDS dataset {builder.name}: expected features 'image' and 'label', found {found}"
        )
    image, label = features["image"], features["label"]
    if not isinstance(label, tfds.features.ClassLabel):
        raise errors.BadInput(f"TFDS dataset {builder.name}: expected 'label' to be a class, found {label}")
    if image.np_dtype != np.uint8:
        raise errors.BadInput(f"TFDS dataset {builder.name}: expected uint8 images, found {image.np_dtype}")


class Images:
    """The images of one split as a sequence of arrays, decoded on access.

    Indexed with N positions it gives a list of N arrays, uint8 [H, W, C].

    Raises:
        errors.BadInput: a picture cannot be decoded; its split and position are named.
    """

    def __init__(self, source: Any, split: str, channels: int):
        self.source, self.split, self.channels = source, split, channels

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, positions: np.ndarray) -> list[np.ndarray]:
        return [
            pictures.decode(self.source[position]["image"], self.channels, f"{self.split} image {position}")
            for position in positions.tolist()
        ]
