"""Choose classes, set train, validation and test apart, and shuffle.

Reads data/raw; writes data/subset (a folder of arrays per split) and reports/data.json.
"""

import hashlib
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, NamedTuple

import numpy as np
import pydantic
from PIL import Image

from stages.datasets import cifar10, digits, fashion_mnist
from stages.running import command, errors, outputs, paramfile

READERS: dict[str, ModuleType] = {"cifar10": cifar10, "digits": digits, "fashion_mnist": fashion_mnist}
PRECEDENCE = ["test", "val", "train"]  # which split keeps an image that stands in several
CHUNK = 1000  # images in memory at a time


class Params(paramfile.Section):
    """Which classes, how large, how split, in which order."""

    classes: list[str] | Literal["all"]
    image_size: list[int] | None
    limit_per_class: int | None = pydantic.Field(ge=1)
    val_fraction: float = pydantic.Field(ge=0, lt=1)
    test_fraction: float | None = pydantic.Field(gt=0, lt=1)
    seed: paramfile.Seed

    @pydantic.field_validator("classes", mode="before")
    @classmethod
    def _distinct(cls, names: Any) -> Any:
        are_names = isinstance(names, list) and all(isinstance(name, str) for name in names)
        if names != "all" and not (are_names and 2 <= len(set(names)) == len(names)):
            raise ValueError(
                f"expected a list of at least two different class names, or all, received {names!r}"
            )
        return names

    @pydantic.field_validator("image_size")
    @classmethod
    def _height_and_width(cls, size: list[int] | None) -> list[int] | None:
        if size is not None and (len(size) != 2 or min(size) < 1):
            raise ValueError(f"expected [height, width] in pixels or null, received {size}")
        return size


class Split(NamedTuple):
    """Some images of one published split."""

    images: Any  # indexed with positions: uint8 [N, H, W, C], or N arrays of any H and W
    labels: np.ndarray  # int64, of the whole published split
    positions: np.ndarray  # int64, which images, in which order


def subset(params: Params, raw: Path, arrays: Path, report: Path) -> None:
    """Write `arrays`/{train,val,test} and a JSON report of where it is from and what each holds.

    A split's folder holds images.npy (uint8 [N, H, W, C]), labels.npy (int64 [N], in 0..K-1 in the
    order of the classes), positions.npy (int64 [N], each image's place in its published split) and
    manifest.json. An image found in several splits stays in the test split, else in the validation
    split. The test split keeps its published order, whatever the seed.

    Raises:
        errors.BadInput: an unknown class, a class with no images, no test split, or images of
            different sizes.
    """
    dataset, names, published = _read(raw)
    chosen = names if params.classes == "all" else params.classes
    for name in chosen:
        if name not in names:
            raise errors.unknown("class", name, names)
    ids = [names.index(name) for name in chosen]
    splits, repeated = _without_repeats(_split(params, published, ids), params.image_size)
    counts = {split: _count(content, ids, chosen) for split, content in splits.items()}
    _require_images(counts, params.val_fraction)
    shape = next(_chunks(splits["train"], params.image_size)).shape[1:]
    with outputs.folder(arrays) as partial:
        for split, content in splits.items():
            _write(partial / split, content, ids, chosen, shape, params.image_size)
    said = {"dataset": dataset, "params": params.model_dump(), "classes": chosen}
    outputs.write_json(report, {**said, "images": counts, "repeated": repeated})


def _read(raw: Path) -> tuple[str, list[str], dict[str, tuple[Any, np.ndarray]]]:
    dataset = outputs.read_json(raw / "manifest.json")["dataset"]
    names, published = _reader(dataset).read(raw)
    for split, (images, labels) in published.items():
        if len(images) != len(labels):
            raise errors.BadInput(f"{dataset} {split}: received {len(images)} images, {len(labels)} labels")
        if len(labels) and labels.max() >= len(names):
            raise errors.BadInput(
                f"{dataset} {split}: expected labels below {len(names)}, found {labels.max()}"
            )
    return dataset, names, published


def _reader(dataset: str) -> ModuleType:
    if dataset in READERS:
        return READERS[dataset]
    from stages.datasets import tfds  # 0.3 s to import, for these datasets alone

    return tfds


def _split(params: Params, published: dict[str, tuple[Any, np.ndarray]], ids: list[int]) -> dict[str, Split]:
    """Shuffle the published training images and carve the validation split from each class."""
    if "train" not in published:
        raise errors.BadInput(f"expected a published train split, found only {', '.join(published)}")
    generator = np.random.default_rng(params.seed)
    images, labels = published["train"]
    train, val, test = [], [], []
    for i in ids:
        of_class = generator.permutation(np.flatnonzero(labels == i))[: params.limit_per_class]
        tested = round(len(of_class) * (params.test_fraction or 0))
        validated = tested + round((len(of_class) - tested) * params.val_fraction)
        test.append(of_class[:tested])
        val.append(of_class[tested:validated])
        train.append(of_class[validated:])
    splits = {
        "train": Split(images, labels, generator.permutation(np.concatenate(train))),
        "val": Split(images, labels, generator.permutation(np.concatenate(val))),
    }
    if params.test_fraction is None:
        if "test" not in published:
            raise errors.BadInput(
                f"expected a published test split, found only {', '.join(published)};"
                " set subset.test_fraction to carve one from the training split"
            )
        images, labels = published["test"]
        test = [np.flatnonzero(labels == i)[: params.limit_per_class] for i in ids]
    splits["test"] = Split(images, labels, np.sort(np.concatenate(test)))
    return splits


def _without_repeats(
    splits: dict[str, Split], size: list[int] | None
) -> tuple[dict[str, Split], dict[str, dict]]:
    """Drop every image that also stands in a split that takes precedence: test, then val.

    Returns:
        The splits, and per split how many of its images repeat another of the same split (they
        stay) and the published positions of those dropped, by the split that holds them.
    """
    digests = {split: _digests(content, size) for split, content in splits.items()}
    kept, repeated = {}, {}
    for split, content in splits.items():
        drop = np.zeros(len(content.positions), bool)
        found: dict[str, Any] = {"within": len(digests[split]) - len(set(digests[split]))}
        for holder in PRECEDENCE[: PRECEDENCE.index(split)]:
            held = set(digests[holder])
            also = np.array([digest in held for digest in digests[split]], bool)
            found[f"dropped_for_{holder}"] = np.sort(content.positions[also & ~drop]).tolist()
            drop |= also
        kept[split] = content._replace(positions=content.positions[~drop])
        repeated[split] = found
    return kept, repeated


def _digests(split: Split, size: list[int] | None) -> list[bytes]:
    return [
        hashlib.blake2b(image.tobytes(), digest_size=16).digest()
        for chunk in _chunks(split, size)
        for image in chunk
    ]


def _chunks(split: Split, size: list[int] | None) -> Iterator[np.ndarray]:
    """The images of a split in its order, uint8 [n, H, W, C], CHUNK at a time."""
    for first in range(0, len(split.positions), CHUNK):
        images = split.images[split.positions[first : first + CHUNK]]
        if size is not None:
            images = [_resize(image, size) for image in images]
        _require_one_shape([image.shape for image in images])
        yield np.asarray(images)


def _require_one_shape(shapes: Sequence[tuple[int, ...]]) -> None:
    different = sorted(set(shapes))
    if len(different) > 1:
        raise errors.BadInput(
            f"expected images of one size, found {different[0]} and {different[-1]};"
            " set subset.image_size to [height, width]"
        )


def _resize(image: np.ndarray, size: list[int]) -> np.ndarray:
    """Scale an image (uint8 [H, W, C]) with Pillow's antialiased bilinear filter."""
    planes = [
        Image.fromarray(np.ascontiguousarray(image[..., channel])).resize(
            (size[1], size[0]), Image.Resampling.BILINEAR
        )
        for channel in range(image.shape[-1])
    ]
    return np.stack([np.asarray(plane) for plane in planes], axis=-1)


def _count(split: Split, ids: list[int], chosen: list[str]) -> dict[str, int]:
    kept = split.labels[split.positions]
    return {name: int(np.sum(kept == i)) for name, i in zip(chosen, ids, strict=True)}


def _require_images(counts: dict[str, dict[str, int]], val_fraction: float) -> None:
    for split, of_class in counts.items():
        for name, count in of_class.items():
            if count == 0 and (split != "val" or val_fraction > 0):
                raise errors.BadInput(f"expected images of class {name!r} in the {split} split, found none")


def _write(
    folder: Path,
    split: Split,
    ids: list[int],
    chosen: list[str],
    shape: tuple[int, ...],
    size: list[int] | None,
) -> None:
    folder.mkdir()
    new_label = np.full(max(ids) + 1, -1)
    new_label[ids] = np.arange(len(ids))
    _save(folder / "labels.npy", new_label[split.labels[split.positions]])
    _save(folder / "positions.npy", split.positions)
    _write_images(folder / "images.npy", split, shape, size)
    manifest = {"classes": chosen, "image_shape": list(shape), "count": len(split.positions)}
    outputs.write_json(folder / "manifest.json", manifest)


def _save(path: Path, array: np.ndarray) -> None:
    """Write a .npy file; unlike np.save on a path, a full disk is an error with its number."""
    buffer = io.BytesIO()
    np.save(buffer, array)
    path.write_bytes(buffer.getvalue())


def _write_images(path: Path, split: Split, shape: tuple[int, ...], size: list[int] | None) -> None:
    """Write images.npy a chunk at a time, all of one shape."""
    header = {"descr": "|u1", "fortran_order": False, "shape": (len(split.positions), *shape)}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for chunk in _chunks(split, size):
            _require_one_shape([shape, chunk.shape[1:]])
            file.write(chunk.tobytes())


if __name__ == "__main__":
    command.run(subset, Params)
