"""Any image-classification dataset of https://www.tensorflow.org/datasets, as `tfds:<name>`.

The raw files are those that tensorflow-datasets prepares, in its array_record format, which is read
at random and without TensorFlow. TFDS checks every download against its registered checksums.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from stages.running import errors


def urls(name: str, data_dir: Path) -> list[str]:
    """The URLs that TFDS has registered for a dataset; none if it is prepared already.

    Raises:
        errors.BadInput: TFDS knows no such dataset.
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
    try:
        return tfds.builder(name, data_dir=data_dir, file_format="array_record")
    except tfds.core.DatasetNotFoundError:
        raise errors.unknown("TFDS dataset", name, tfds.list_builders()) from None
    except (AssertionError, ValueError) as error:  # how TFDS refuses a version or a configuration
        raise errors.BadInput(f"tensorflow-datasets cannot load {name}: {error}") from error


def read(folder: Path) -> tuple[list[str], dict[str, tuple["Images", np.ndarray]]]:
    """Open a prepared dataset.

    Returns:
        The class names, and for each published split the images (decoded when indexed) and labels
        (int64 [N]) in their stored order.

    Raises:
        errors.BadInput: the folder holds no prepared dataset, one in another format, or one
            without uint8 images and class labels.
    """
    try:
        builder = tfds.builder_from_directory(folder)
        _check_features(builder)
        undecoded = {"image": tfds.decode.SkipDecoding()}
        splits = {}
        for split in builder.info.splits:
            labels = [example["label"] for example in builder.as_data_source(split, decoders=undecoded)]
            splits[split] = Images(builder.as_data_source(split)), np.array(labels, np.int64)
    except (OSError, NotImplementedError, RuntimeError) as error:  # of TFDS and of array_record
        raise errors.BadInput(
            f"{folder}: expected a dataset that TFDS prepared as array_record: {error}"
        ) from error
    return list(builder.info.features["label"].names), splits


def require(name: str, folder: Path) -> None:
    """Check that a folder holds the prepared dataset `name`, given as TFDS takes it.

    Raises:
        errors.BadInput: it holds another one, or see `read`.
    """
    read(folder)
    found = tfds.builder_from_directory(folder).name
    if found != name.split("/")[0].split(":")[0]:
        raise errors.BadInput(f"{folder}: expected TFDS dataset {name!r}, found {found!r}")


def _check_features(builder: tfds.core.DatasetBuilder) -> None:
    features = builder.info.features
    if not {"image", "label"} <= set(features):
        raise errors.BadInput(
            f"TFDS dataset {builder.name}: expected features 'image' and 'label', found {list(features)}"
        )
    image, label = features["image"], features["label"]
    if not isinstance(label, tfds.features.ClassLabel):
        raise errors.BadInput(f"TFDS dataset {builder.name}: expected 'label' to be a class, found {label}")
    if image.np_dtype != np.uint8:
        raise errors.BadInput(f"TFDS dataset {builder.name}: expected uint8 images, found {image.np_dtype}")


class Images:
    """The images of one split as a sequence of arrays, decoded on access.

    Indexed with N positions it gives a list of N arrays, uint8 [H, W, C].
    """

    def __init__(self, source: Any):
        self.source = source

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, positions: np.ndarray) -> list[np.ndarray]:
        return [example["image"] for example in self.source.__getitems__(positions.tolist())]
