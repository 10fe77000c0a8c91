"""Any image-classification dataset of https://www.tensorflow.org/datasets, as `tfds:<name>`.

The raw files are those that tensorflow-datasets prepares, in its array_record format, which is read
at random and without TensorFlow. TFDS checks every download against its registered checksums.
"""

import sys
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds

from stages.running import errors


def urls(name: str, data_dir: Path) -> list[str]:
    """The URLs that TFDS has registered for a dataset; none if it is prepared already.

    Raises:
        errors.BadInput: TFDS knows no such dataset.
    """
    builder = _builder(name, data_dir)
    return [] if builder.info.splits else sorted(builder.url_infos)


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
    except (tfds.core.DatasetNotFoundError, ValueError) as error:
        if isinstance(error, tfds.core.DatasetNotFoundError):
            raise errors.unknown("TFDS dataset", name, tfds.list_builders()) from None
        raise errors.BadInput(f"tensorflow-datasets cannot load {name}: {error}") from error


def read(folder: Path) -> tuple[list[str], dict[str, tuple["Images", np.ndarray]]]:
    """Open a prepared dataset.

    Returns:
        The class names, and for each published split the images (decoded when indexed) and labels
        (int64 [N]) in their stored order.

    Raises:
        errors.BadInput: the folder holds no prepared dataset, one in another format, or one
            without an image and a label.
    """
    try:
        builder = tfds.builder_from_directory(folder)
        sources = {split: builder.as_data_source(split) for split in builder.info.splits}
    except (FileNotFoundError, NotImplementedError) as error:
        raise errors.BadInput(
            f"{folder}: expected a dataset that TFDS prepared as array_record: {error}"
        ) from error
    features = builder.info.features
    if not {"image", "label"} <= set(features):
        raise errors.BadInput(
            f"TFDS dataset {builder.name}: expected features 'image' and 'label', found {list(features)}"
        )
    labels = {
        split: np.array([example["label"] for example in _without_images(builder, split)], np.int64)
        for split in sources
    }
    return list(features["label"].names), {
        split: (Images(source), labels[split]) for split, source in sources.items()
    }


def _without_images(builder: tfds.core.DatasetBuilder, split: str) -> tfds.core.SplitInfo:
    decoders = tfds.decode.PartialDecoding({"label": builder.info.features["label"]})
    return builder.as_data_source(split, decoders=decoders)


class Images:
    """The images of one split as a sequence of arrays, decoded on access.

    Indexed with N positions it gives a list of N arrays, uint8 [H, W, C].
    """

    def __init__(self, source: tfds.core.SplitInfo):
        self.source = source

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, positions: np.ndarray) -> list[np.ndarray]:
        return [example["image"] for example in self.source.__getitems__(positions.tolist())]
