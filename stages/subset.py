"""Choose classes, set train, validation and test apart, and shuffle.

Reads data/raw; writes data/subset (a folder of arrays per split) and reports/data.json.
"""

import hashlib
import io
import math
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, NamedTuple

import numpy as np
import pydantic
from PIL import Image

from stages.datasets import cifar10, digits, fashion_mnist
from stages.running import command, disk, errors, outputs, paramfile
from stages.sources import checksums

READERS: dict[str, ModuleType] = {"cifar10": cifar10, "digits": digits, "fashion_mnist": fashion_mnist}
PRECEDENCE = ["test", "val", "train"]  # which split keeps an image that stands in several
CHUNK = 1000  # images of a published set, which are small, in memory at a time
LISTED = 100  # contradictions in the report


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
        if names == "all":
            return names
        if not isinstance(names, list) or not 2 <= len(set(map(str, names))) == len(names):
            raise ValueError(
                f"expected a list of at least two different class names, or all, received {names!r}"
            )
        if others := [name for name in names if not isinstance(name, str)]:
            raise ValueError(
                f"expected the names as text, received {others[0]!r}, which YAML takes for a"
                f" {type(others[0]).__name__}; write {list(map(str, names))}"
            )
        return names

    @pydantic.field_validator("image_size")
    @classmethod
    def _height_and_width(cls, size: list[int] | None) -> list[int] | None:
        if size is not None and (len(size) != 2 or min(size) < 1):
            raise ValueError(f"expected [height, width] in pixels or null, received {size}")
        return size


class Raw(paramfile.Section):
    """The manifest of data/raw."""

    dataset: str
    files: dict[str, str]  # MD5 or SHA-256 by name


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
    split. The test split keeps its published order, whatever the seed. The report names pictures that are
    there under several classes, and published splits that are not used.

    Raises:
        errors.BadInput: raw files that are not those downloaded, an unknown class, fewer than two classes,
            a class with no images, no test split or one without labels, or images of different sizes.
    """
    dataset, names, published = _read(raw)
    chosen = names if params.classes == "all" else params.classes
    for name in chosen:
        if name not in names:
            raise errors.unknown("class", name, names)
    if len(chosen) < 2:
        raise errors.BadInput(f"expected at least two classes, {dataset} has only {', '.join(chosen)}")
    ids = [names.index(name) for name in chosen]
    unused = _unused(published, params.test_fraction)
    whole = _split(params, published, ids)
    digests = {split: _digests(content, params.image_size) for split, content in whole.items()}
    splits, repeated = _without_repeats(whole, digests)
    counts = {split: _count(content, ids, chosen) for split, content in splits.items()}
    _require_images(counts, params)
    shape = next(_images(splits["train"], params.image_size)).shape
    images = sum(len(content.positions) for content in splits.values())
    remedy = "lower subset.image_size or subset.limit_per_class"
    disk.require_space(arrays, images * math.prod(shape), remedy)
    with outputs.folder(arrays) as partial:
        for split, content in splits.items():
            _write(partial / split, content, ids, chosen, shape, params.image_size)
    said = {
        "classes": chosen,
        "contradictions": _contradictions(whole, digests, names),
        "dataset": dataset,
        "images": counts,
        "params": params.model_dump(),
        "repeated": repeated,
        "unused": unused,
    }
    outputs.write_json(report, said)
    for split, count in unused.items():
        print(f"not used: the published split {split} with {count:,} labelled images")


def _read(raw: Path) -> tuple[str, list[str], dict[str, tuple[Any, np.ndarray]]]:
    path = raw / "manifest.json"
    manifest = paramfile.check(Raw, outputs.read_json(path), str(path))
    for name, checksum in manifest.files.items():
        if not checksums.fits(raw / name, checksum):
            raise errors.BadInput(
                f"{raw / name} is not the file that was downloaded; run `dvc checkout`, or rerun the download"
                " stage"
            )
    names, published = _reader(manifest.dataset).read(raw)
    for split, (images, labels) in published.items():
        where = f"{manifest.dataset} {split}"
        if len(images) != len(labels):
            raise errors.BadInput(f"{where}: received {len(images)} images, {len(labels)} labels")
        if len(labels) and labels.max() >= len(names):
            raise errors.BadInput(f"{where}: expected labels below {len(names)}, found {labels.max()}")
    return manifest.dataset, names, published


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
    _require_labels(labels, "train", "label them, or leave them out of the dataset")
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
        _require_labels(labels, "test", "set subset.test_fraction to carve one from the training split")
        test = [np.flatnonzero(labels == i)[: params.limit_per_class] for i in ids]
    splits["test"] = Split(images, labels, np.sort(np.concatenate(test)))
    return splits


def _require_labels(labels: np.ndarray, split: str, remedy: str) -> None:
    """A negative label is TFDS's way to say that an image has none."""
    missing = np.flatnonzero(labels < 0)
    if len(missing):
        how_many = "has no labels" if len(missing) == len(labels) else f"lacks {len(missing):,} of its labels"
        raise errors.BadInput(
            f"the published {split} split {how_many} (image {missing[0]} has {labels[missing[0]]}); {remedy}"
        )


def _unused(published: dict[str, tuple[Any, np.ndarray]], test_fraction: float | None) -> dict[str, int]:
    """How many labelled images each published split has that no split here is made of."""
    used = {"train"} | ({"test"} if test_fraction is None else set())
    counts = {split: int(np.sum(labels >= 0)) for split, (_, labels) in published.items()}
    return {split: count for split, count in counts.items() if split not in used and count}


def _without_repeats(
    splits: dict[str, Split], digests: dict[str, list[bytes]]
) -> tuple[dict[str, Split], dict[str, dict]]:
    """Drop every image that also is in a split that takes precedence: test, then val.

    Returns:
        The splits, and per split how many of its images repeat another of the same split (they
        stay) and the published positions of those dropped, by the split that holds them.
    """
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


def _contradictions(
    splits: dict[str, Split], digests: dict[str, list[bytes]], names: list[str]
) -> dict[str, Any]:
    """The pictures that are there under several classes: how many, and the places of the first of them."""
    places: dict[bytes, list[dict[str, Any]]] = {}
    for split, content in splits.items():
        labels, positions = content.labels[content.positions], content.positions.tolist()
        for digest, position, label in zip(digests[split], positions, labels, strict=True):
            place = {"class": names[label], "position": position, "split": split}
            places.setdefault(digest, []).append(place)
    found = [each for each in places.values() if len({place["class"] for place in each}) > 1]
    return {"pictures": len(found), "places": found[:LISTED]}


def _digests(split: Split, size: list[int] | None) -> list[bytes]:
    return [hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in _images(split, size)]


def _images(split: Split, size: list[int] | None) -> Iterator[np.ndarray]:
    """The images of a split in its order, uint8 [H, W, C], of one size; few are in memory at a time."""
    step = CHUNK if isinstance(split.images, np.ndarray) else 1
    shape = None
    for first in range(0, len(split.positions), step):
        for image in split.images[split.positions[first : first + step]]:
            resized = image if size is None else _resize(image, size)
            shape = shape or resized.shape
            _require_one_shape(shape, resized.shape)
            yield resized


def _require_one_shape(first: tuple[int, ...], other: tuple[int, ...]) -> None:
    if first != other:
        smaller, larger = sorted([first, other])
        raise errors.BadInput(
            f"expected images of one size, found {smaller} and {larger};"
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


def _require_images(counts: dict[str, dict[str, int]], params: Params) -> None:
    for split, of_class in counts.items():
        for name, count in of_class.items():
            if count == 0 and (split != "val" or params.val_fraction > 0):
                found = f"expected images of class {name!r} in the {split} split, found none"
                raise errors.BadInput(found + _why(counts, name, params))


def _why(counts: dict[str, dict[str, int]], name: str, params: Params) -> str:
    """The numbers behind an empty split, where a fraction made it so."""
    carved = {"val": params.val_fraction}
    if params.test_fraction is not None:
        carved["test"] = params.test_fraction
    images = sum(counts[split][name] for split in ("train", *carved))
    for split, fraction in carved.items():
        if counts[split][name] == 0 and fraction and images > 1:
            enough = math.ceil(1000 / images) / 1000
            return f": subset.{split}_fraction = {fraction} of its {images:,} images is none, {enough} is one"
    if carved and images == 1:
        return ": it has only one image"
    return ""


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
    """Write images.npy image by image, all of one shape."""
    header = {"descr": "|u1", "fortran_order": False, "shape": (len(split.positions), *shape)}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for image in _images(split, size):
            _require_one_shape(shape, image.shape)
            file.write(image.tobytes())


if __name__ == "__main__":
    command.run(subset, Params)
