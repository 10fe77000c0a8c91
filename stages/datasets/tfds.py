"""Any image-classification dataset of https://www.tensorflow.org/datasets.

The raw files are those that tensorflow-datasets (TFDS) prepares, in its array_record format. This format
can be read in any order and without TensorFlow. TFDS checks every download against its registered checksums.
"""

import functools
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pydantic
import tensorflow_datasets as tfds
from tensorflow_datasets.core import naming

from stages.decoding import picture
from stages.running import ahead, ellipsis, errors, paramfile, progress
from stages.sources import cache, checksums, listing, origin, prepared, published, raw


class Options(paramfile.Section):
    """Options of the dataset tfds: which of TFDS's datasets to take."""

    builder: str = pydantic.Field(min_length=1)  # name or name/configuration; either may end in :version


def fetch(options: Options, source: published.Source, archive: Path | None, folder: Path) -> raw.Manifest:
    """Copy a dataset that TFDS prepared, in the cache or given as the archive, to a folder.

    Args:
        options: The name of the dataset.
        source: The route; there is no mirror.
        archive: A folder with the prepared dataset, to use instead of the cache; or None.
        folder: The folder that the files are copied to; it exists.

    Raises:
        errors.BadInput: see `prepare`, or `archive` holds another dataset, or a mirror is asked for.
    """
    builder = options.builder
    if archive is not None:
        place = archive
    elif source == "mirror":
        raise errors.BadInput(f"tfds:{builder} has no mirror; set download.source to origin or auto")
    else:
        data_dir = cache.made("tfds")
        for url in urls(builder, data_dir)[:1]:
            origin.probe(url)
        place = prepare(builder, data_dir)
    dataset = f"tfds:{require(builder, place)}"
    _check_pictures(place)
    files = [file for file in sorted(place.iterdir()) if file.is_file()]
    for file in files:
        shutil.copyfile(file, folder / file.name)
    digests = {file.name: checksums.of_file(file, "sha256") for file in files}
    return raw.Manifest(dataset=dataset, files=digests, plugin="tfds")


def urls(name: str, data_dir: Path) -> list[str]:
    """Return the URLs that TFDS has registered for a dataset; none if the dataset is prepared already.

    Raises:
        errors.BadInput: TFDS knows no such dataset, or it does not consist of images with a class each.
    """
    builder = _builder(name, data_dir)
    return [] if builder.info.splits else sorted(builder.url_infos or {})


def prepare(name: str, data_dir: Path) -> Path:
    """Download and prepare a dataset below `data_dir`, unless it is there, and return its folder.

    Raises:
        errors.BadInput: see `urls`, or TFDS cannot fetch or prepare it.
    """
    if not sys.stderr.isatty():
        tfds.disable_progress_bar()
    builder = _builder(name, data_dir)
    failures = (
        AssertionError,  # TFDS's error for files that must be fetched by hand
        ImportError,
        OSError,
        tfds.download.DownloadError,
        tfds.download.download_manager.NonMatchingChecksumError,
    )
    try:
        builder.download_and_prepare(file_format="array_record")
    except failures as error:
        raise prepared.refusal(f"tensorflow-datasets could not prepare {name}", error) from error
    return Path(builder.data_dir)


def _builder(name: str, data_dir: Path) -> tfds.core.DatasetBuilder:
    prepared.require_array_record()
    for version in _versions(data_dir / _reference(name).dataset_name):
        prepared.builder(version)
    try:
        builder = tfds.builder(name, data_dir=data_dir, file_format="array_record")
    except tfds.core.DatasetNotFoundError:
        raise errors.unknown("TFDS dataset", name, tfds.list_builders()) from None
    except (AssertionError, ImportError, TypeError, ValueError) as error:  # for a variant that TFDS lacks
        raise prepared.refusal(f"tensorflow-datasets cannot load {name}", error) from error
    _check(builder)
    return builder


def _versions(folder: Path) -> list[Path]:
    """Return the prepared folders that TFDS itself might take for a dataset, without unfinished ones."""
    found = [features.parent for features in folder.rglob("features.json")]
    return [each for each in found if tfds.core.Version.is_valid(each.name)]


def _reference(name: str) -> naming.DatasetReference:
    try:
        return naming.DatasetReference.from_tfds_name(name)
    except (TypeError, ValueError):
        raise errors.BadInput(
            f"expected a TFDS dataset as name, name/configuration or either with :version, received {name!r}"
        ) from None


def require(name: str, folder: Path) -> str:
    """Check that a folder holds the prepared dataset of a name.

    Args:
        name: The name as TFDS takes it.
        folder: The folder of the prepared dataset.

    Returns:
        The dataset's whole name, with its version and, if it has one, its configuration.

    Raises:
        errors.BadInput: the folder holds another dataset, or see `read`.
    """
    builder, wanted = prepared.builder(folder), _reference(name)
    config = builder.builder_config.name if builder.builder_config else None
    found = naming.DatasetReference(builder.name, config=config, version=str(builder.version)).tfds_name()
    if (
        wanted.dataset_name != builder.name
        or wanted.config not in (None, config)
        or not builder.version.match(wanted.version or "*.*.*")
    ):
        raise errors.BadInput(f"{folder}: expected TFDS dataset {name!r}, found {found!r}")
    read(folder)
    return found


def read(folder: Path) -> tuple[list[str], dict[str, tuple["Pictures", np.ndarray]]]:
    """Open a prepared dataset.

    Returns:
        The class names, and for each published split the images (see `Pictures`) and labels (int64 [N]) in
        their stored order. A split for validation is called "val", whatever its published name.

    Raises:
        errors.BadInput: the folder holds no prepared dataset, or one that is damaged, in another format, or
            without uint8 images and class labels.
    """
    builder = prepared.builder(folder)
    _check(builder)
    splits = {}
    for split in builder.info.splits:
        examples = Examples(builder, split)
        labels = [examples[position]["label"] for position in range(len(examples))]
        splits[listing.SPLITS.get(split, split)] = Pictures(examples), np.array(labels, np.int64)
    return _class_names(builder), splits


def _check_pictures(folder: Path) -> None:
    """Decode every image once.

    Raises:
        errors.BadInput: an image cannot be decoded; the message counts them and names the first.
    """
    _, splits = read(folder)
    places = [(images, position) for images, _ in splits.values() for position in range(len(images))]
    with progress.bar(len(places), "checking images", "images") as bar:
        faults = [fault for fault in progress.counted(ahead.mapped(_fault, places), bar) if fault]
    if faults:
        counted = f"{len(faults):,} of {len(places):,} images cannot be decoded"
        raise errors.BadInput(f"{counted}:\n{ellipsis.first(faults)}")


def _fault(place: tuple["Pictures", int]) -> str | None:
    images, position = place
    try:
        images.decode(position, picture.Colours(None))
    except errors.BadInput as error:
        return str(error)
    return None


def _class_names(builder: tfds.core.DatasetBuilder) -> list[str]:
    """Return the class names and check their number; TFDS ignores a file of names that does not fit."""
    label = builder.info.features["label"]
    if len(set(label.names)) != label.num_classes:
        raise errors.BadInput(
            f"{builder.data_dir}: expected different names of {label.num_classes} classes,"
            f" found {len(label.names)}, of which {len(set(label.names))} differ"
        )
    return list(label.names)


def _check(builder: tfds.core.DatasetBuilder) -> None:
    """Refuse a dataset that does not consist of images with a class each, before it is fetched or read."""
    features = builder.info.features
    names = list(features) if isinstance(features, tfds.features.FeaturesDict) else []
    if not {"image", "label"} <= set(names):
        raise errors.BadInput(
            f"TFDS dataset {builder.name}: expected features 'image' and 'label', found {names}"
        )
    image, label = features["image"], features["label"]
    if not isinstance(label, tfds.features.ClassLabel):
        raise errors.BadInput(
            f"TFDS dataset {builder.name}: expected 'label' to be a class, found {type(label).__name__}"
        )
    if not _is_image(image):
        raise errors.BadInput(
            f"TFDS dataset {builder.name}: expected 'image' to be uint8 [height, width, 1 to 4 channels],"
            f" found {type(image).__name__} {image.np_dtype} {image.shape}"
        )
    if builder.info.splits and "train" not in builder.info.splits:
        raise errors.BadInput(
            f"TFDS dataset {builder.name}: expected a published train split,"
            f" found only {', '.join(builder.info.splits)}"
        )


def _is_image(feature: tfds.features.FeatureConnector) -> bool:
    return (
        isinstance(feature, tfds.features.Image | tfds.features.Tensor)
        and feature.np_dtype == np.uint8
        and len(feature.shape) == 3
        and (feature.shape[-1] or 3) in picture.MODES
    )


class Examples:
    """The examples of one split in their stored order, each with its encoded "image" and its "label"."""

    def __init__(self, builder: tfds.core.DatasetBuilder, split: str):
        self.folder, self.split = Path(builder.data_dir).absolute(), split
        self.place = f"{builder.data_dir}: {split} image"
        self.records = prepared.records(builder, split)
        self.features = tfds.features.FeaturesDict(
            {name: builder.info.features[name] for name in ("image", "label")}
        )
        encoded = isinstance(self.features["image"], tfds.features.Image)
        self.decoders = {"image": tfds.decode.SkipDecoding()} if encoded else None

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, position: int) -> dict[str, Any]:
        """Read one example.

        Raises:
            errors.BadInput: the example cannot be read; the message names its place.
        """
        try:
            return self.features.deserialize_example_np(self.records[position], decoders=self.decoders)
        except prepared.DAMAGED as error:
            raise prepared.refusal(f"{self.place} {position}: cannot be read", error) from error


class Pictures:
    """The images of one split, which are decoded when they are asked for.

    Args:
        examples: The examples of a split.
        positions: The ones that are meant, int [n]; None for all.
    """

    def __init__(self, examples: Examples, positions: np.ndarray | None = None):
        self.examples, self.positions = examples, positions
        self.channels = examples.features["image"].shape[-1] or 3

    def __len__(self) -> int:
        return len(self.examples if self.positions is None else self.positions)

    def __reduce__(self) -> tuple[Any, ...]:
        return _opened, (self.examples.folder, self.examples.split, self.positions)

    def take(self, positions: np.ndarray) -> "Pictures":
        """Return the images at some positions, int [n]; they can be pickled."""
        return Pictures(self.examples, positions if self.positions is None else self.positions[positions])

    def decode(self, position: int, colours: picture.Colours) -> np.ndarray:
        """Decode the image at a position: uint8 [H, W, C].

        Without a number of channels in `colours` it has those that the dataset's features declare; it is RGB
        if the features leave that open.

        Raises:
            errors.BadInput: the image cannot be decoded; the message names its place.
        """
        place = position if self.positions is None else int(self.positions[position])
        stored = self.examples[place]["image"]
        channels = colours.channels or self.channels
        if isinstance(stored, np.ndarray):
            return picture.recolour(stored, channels)
        try:
            return picture.decode(stored, picture.Colours(channels, colours.background))
        except picture.Fault as error:
            raise errors.BadInput(f"{self.examples.place} {place}: {error}") from error


@functools.lru_cache(maxsize=8)
def _examples(folder: Path, split: str) -> Examples:
    return Examples(prepared.builder(folder), split)


def _opened(folder: Path, split: str, positions: np.ndarray | None) -> Pictures:
    """Open pictures that were pickled."""
    return Pictures(_examples(folder, split), positions)
