"""Carve the train, validation and test splits out of the published ones."""

import math
from typing import Any, NamedTuple

import numpy as np

from stages.running import errors

Published = dict[str, tuple[Any, np.ndarray]]  # images and labels of each published split


class Split(NamedTuple):
    """Some images of one published split."""

    images: Any  # indexed with positions: uint8 [N, H, W, C], or N arrays of any H and W
    labels: np.ndarray  # int64, of the whole published split
    positions: np.ndarray  # int64, the chosen images in their order


class Fractions(NamedTuple):
    """The shares into which the published training images are divided."""

    val: float  # share of each class, for validation
    test: float | None  # share of each class, for testing; None takes the published test split
    limit_per_class: int | None  # maximum per class: train + val together, and test; None keeps all


def split(published: Published, ids: list[int], fractions: Fractions, seed: int) -> dict[str, Split]:
    """Shuffle the published training images and carve the validation split from each class.

    Args:
        published: The published splits, "train" among them.
        ids: The labels of the chosen classes.
        fractions: The shares of each class that the splits get.
        seed: The seed of the shuffling.

    Raises:
        errors.BadInput: there is no train split, the required test split is missing, or images have no
            labels.
    """
    if "train" not in published:
        raise errors.BadInput(f"expected a published train split, found only {', '.join(published)}")
    generator = np.random.default_rng(seed)
    images, labels = published["train"]
    _require_labels(labels, "train", "label them, or leave them out of the dataset")
    train, val, test = [], [], []
    for i in ids:
        of_class = generator.permutation(np.flatnonzero(labels == i))[: fractions.limit_per_class]
        tested = round(len(of_class) * (fractions.test or 0))
        validated = tested + round((len(of_class) - tested) * fractions.val)
        test.append(of_class[:tested])
        val.append(of_class[tested:validated])
        train.append(of_class[validated:])
    splits = {
        "train": Split(images, labels, generator.permutation(np.concatenate(train))),
        "val": Split(images, labels, generator.permutation(np.concatenate(val))),
    }
    if fractions.test is None:
        if "test" not in published:
            raise errors.BadInput(
                f"expected a published test split, found only {', '.join(published)};"
                " set subset.test_fraction to carve one from the training split"
            )
        images, labels = published["test"]
        _require_labels(labels, "test", "set subset.test_fraction to carve one from the training split")
        test = [np.flatnonzero(labels == i)[: fractions.limit_per_class] for i in ids]
    splits["test"] = Split(images, labels, np.sort(np.concatenate(test)))
    return splits


def _require_labels(labels: np.ndarray, split: str, remedy: str) -> None:
    """Check that all images have labels; in TFDS a negative label means that an image has none."""
    missing = np.flatnonzero(labels < 0)
    if len(missing):
        how_many = "has no labels" if len(missing) == len(labels) else f"lacks {len(missing):,} of its labels"
        raise errors.BadInput(
            f"the published {split} split {how_many} (image {missing[0]} has {labels[missing[0]]}); {remedy}"
        )


def unused(published: Published, test_fraction: float | None) -> dict[str, int]:
    """Count the labelled images of each published split that is not used."""
    used = {"train"} | ({"test"} if test_fraction is None else set())
    counts = {split: int(np.sum(labels >= 0)) for split, (_, labels) in published.items()}
    return {split: count for split, count in counts.items() if split not in used and count}


def count(split: Split, ids: list[int], chosen: list[str]) -> dict[str, int]:
    """Count a split's images by class name."""
    kept = split.labels[split.positions]
    return {name: int(np.sum(kept == i)) for name, i in zip(chosen, ids, strict=True)}


def require_images(counts: dict[str, dict[str, int]], fractions: Fractions) -> None:
    """Check that each class has images in every split.

    Args:
        counts: Images by split and class name.
        fractions: The shares with which the splits were carved, for the error message.

    Raises:
        errors.BadInput: a class has no image in a split that must have some.
    """
    for split, of_class in counts.items():
        for name, count in of_class.items():
            if count == 0 and (split != "val" or fractions.val > 0):
                found = f"expected images of class {name!r} in the {split} split, found none"
                raise errors.BadInput(found + _why(counts, name, fractions))


def _why(counts: dict[str, dict[str, int]], name: str, fractions: Fractions) -> str:
    """Explain by numbers why a class has no image in a split, if a fraction is the reason."""
    left = sum(counts[split][name] for split in ("train", "val"))
    carved = [("val", fractions.val, left)]
    if fractions.test is not None:
        carved.insert(0, ("test", fractions.test, left + counts["test"][name]))
    for split, fraction, images in carved:
        if counts[split][name] == 0 and fraction and images > 1:
            # The smallest fraction that rounds to one image, with the digits that it takes.
            enough = next(
                value for digits in range(1, 9) if round(images * (value := _up(0.5 / images, digits))) == 1
            )
            return f": subset.{split}_fraction = {fraction} of its {images:,} images is none, {enough} is one"
    if carved[0][2] == 1:
        return ": it has only one image"
    return ""


def _up(value: float, digits: int) -> float:
    """A value rounded up to a number of decimals, and beyond itself."""
    return round((math.floor(value * 10**digits) + 1) / 10**digits, digits)
