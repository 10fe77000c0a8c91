"""Carve the train, validation and test splits out of the published ones."""

import math
from collections.abc import Callable, Container
from typing import Any, NamedTuple

import numpy as np

from stages.running import errors
from stages.splits import by_content, joined


class Published(NamedTuple):
    """The images of one published split."""

    images: Any  # uint8 [N, H, W, C], or a sequence of N pictures with a method `decode`
    labels: np.ndarray  # int64 [N]
    keys: Any = None  # of own pictures, void [N]: those with the same key must stay together


class Split(NamedTuple):
    """Some images of one published split."""

    images: Any  # see `Published`
    labels: np.ndarray  # int64, of the whole published split
    positions: np.ndarray  # int64, the chosen images in their order
    keys: Any = None  # see `Published`

    def fact(self, name: str) -> np.ndarray:
        """What is known of each own picture that was chosen, by the name of the column: [n]."""
        return self.images.fact(name)[self.positions]

    @property
    def chosen_keys(self) -> np.ndarray:
        """The keys of the chosen own pictures: void [n]."""
        return self.keys[self.positions]

    def keys_of(self, label: int) -> np.ndarray:
        """The keys of the chosen own pictures of one class."""
        of_class = self.positions[self.labels[self.positions] == label]
        return self.keys[of_class]

    @property
    def names(self) -> np.ndarray:
        """The paths of the chosen pictures, or the positions of published images: [n]."""
        return self.positions if self.keys is None else self.fact("path")


# Of own pictures, whose splits follow from their content.
BY_CHANCE = (
    " (chance decides, picture by picture: more pictures of the class, or another subset.seed, do as well)"
)
Enough = Callable[[str, str, int], float]  # from split, class name and number of images


class Fractions(NamedTuple):
    """The shares into which the published training images are divided."""

    val: float | None  # share of each class, for validation; None takes the published validation split
    test: float | None  # share of each class, for testing; None takes the published test split
    limit_per_class: int | None  # maximum per class: train + val together, and test; None keeps all


def split(
    published: dict[str, Published], ids: list[int], fractions: Fractions, seed: int
) -> dict[str, Split]:
    """Shuffle the published training images and carve the validation split, and perhaps a test split, from
    them.

    Published images are carved class by class, at random. Own pictures, which have keys, are carved by their
    content, so that adding pictures moves none of those that were there. A published validation split that
    is not taken as such is joined to the training images first.

    Args:
        published: The published splits, "train" among them.
        ids: The labels of the chosen classes.
        fractions: The shares of each class that the splits get.
        seed: The seed of the shuffling.

    Raises:
        errors.BadInput: there is no train split, a split that is to be taken as published is missing, or
            images have no labels.
    """
    whole = training(published, fractions)
    carve = _by_content if whole.keys is not None else _at_random
    train, val, test = carve(whole, ids, fractions, seed)
    images, labels, keys = whole
    splits = {"train": Split(images, labels, train, keys), "val": Split(images, labels, val, keys)}
    if fractions.val is None:
        splits["val"] = _as_published(published, "val", ids, fractions, "val_fraction")
    splits["test"] = Split(images, labels, np.sort(test), keys)
    if fractions.test is None:
        splits["test"] = _as_published(published, "test", ids, fractions, "test_fraction")
    return splits


def training(published: dict[str, Published], fractions: Fractions) -> Published:
    """Return the images from which splits are carved."""
    if "train" not in published:
        raise errors.BadInput(f"expected a train split, found only {', '.join(published)}")
    parts = [published[name] for name in parts_of_training(published, fractions)]
    for part in parts:
        _require_labels(part.labels, "train", "label them, or leave them out of the dataset")
    images, labels, keys = zip(*parts, strict=True)
    together = None if keys[0] is None else np.concatenate(keys)
    return Published(joined.join(images), np.concatenate(labels), together)


def parts_of_training(published: Container[str], fractions: Fractions) -> list[str]:
    """Return the published splits that are joined, in this order, and from which splits are carved."""
    return ["train", "val"] if fractions.val is not None and "val" in published else ["train"]


Carved = tuple[np.ndarray, np.ndarray, np.ndarray]  # positions of the train, validation and test split


def _at_random(whole: Published, ids: list[int], fractions: Fractions, seed: int) -> Carved:
    """Carve each class by a random permutation of its images."""
    generator = np.random.default_rng(seed)
    train, val, test = [], [], []
    for i in ids:
        of_class = generator.permutation(np.flatnonzero(whole.labels == i))[: fractions.limit_per_class]
        tested = round(len(of_class) * (fractions.test or 0))
        validated = tested + round((len(of_class) - tested) * (fractions.val or 0))
        test.append(of_class[:tested])
        val.append(of_class[tested:validated])
        train.append(of_class[validated:])
    shuffled = [generator.permutation(np.concatenate(part)) for part in (train, val)]
    return shuffled[0], shuffled[1], np.concatenate(test)


def _by_content(whole: Published, ids: list[int], fractions: Fractions, seed: int) -> Carved:
    """Carve by the hash of what must stay together, and shuffle by the hash of the pixels."""
    order = by_content.order(whole.images.fact("pixels"), seed)
    kept = np.concatenate([order[whole.labels[order] == i][: fractions.limit_per_class] for i in ids])
    chosen = order[np.isin(order, kept)]
    split = by_content.shares(whole.keys[chosen], fractions.test or 0.0, fractions.val or 0.0)
    return chosen[split == "train"], chosen[split == "val"], chosen[split == "test"]


def _as_published(
    published: dict[str, Published], split: str, ids: list[int], fractions: Fractions, parameter: str
) -> Split:
    """Take the images of a published split, in its order."""
    remedy = f"set subset.{parameter} to carve one from the training split"
    if split not in published:
        raise errors.BadInput(
            f"expected the dataset's own {split} split, found only {', '.join(published)}; {remedy}"
        )
    whole = published[split]
    _require_labels(whole.labels, split, remedy)
    chosen = [np.flatnonzero(whole.labels == i)[: fractions.limit_per_class] for i in ids]
    return Split(whole.images, whole.labels, np.sort(np.concatenate(chosen)), whole.keys)


def _require_labels(labels: np.ndarray, split: str, remedy: str) -> None:
    """Check that all images have labels; in TFDS a negative label means that an image has none."""
    missing = np.flatnonzero(labels < 0)
    if len(missing):
        how_many = "has no labels" if len(missing) == len(labels) else f"lacks {len(missing):,} of its labels"
        first = f"image {missing[0]} has {labels[missing[0]]}"
        raise errors.BadInput(f"the dataset's own {split} split {how_many} ({first}); {remedy}")


def unused(published: dict[str, Published], test_fraction: float | None) -> dict[str, int]:
    """Count the labelled images of each published split that is not used."""
    used = {"train", "val"} | ({"test"} if test_fraction is None else set())
    counts = {split: int(np.sum(whole.labels >= 0)) for split, whole in published.items()}
    return {split: count for split, count in counts.items() if split not in used and count}


def count(split: Split, ids: dict[str, int]) -> dict[str, int]:
    """Count a split's images by class name."""
    kept = split.labels[split.positions]
    return {name: int(np.sum(kept == i)) for name, i in ids.items()}


def require_images(counts: dict[str, dict[str, int]], fractions: Fractions, enough: Enough) -> None:
    """Check that each class has images in every split.

    Args:
        counts: Images by split and class name.
        fractions: The shares with which the splits were carved, for the error message.
        enough: See `enough`.

    Raises:
        errors.BadInput: a class has no image in a split that must have some.
    """
    for split in ("test", "val", "train"):  # the order in which they are carved
        for name, count in counts[split].items():
            if count == 0 and (split != "val" or fractions.val != 0):
                found = f"expected images of class {name!r} in the {split} split, found none"
                raise errors.BadInput(found + _why(split, counts, name, fractions, enough))


def _why(
    lacking: str, counts: dict[str, dict[str, int]], name: str, fractions: Fractions, enough: Enough
) -> str:
    """Explain by numbers why a class has no image in a split, if a fraction is the reason."""
    carved = []
    if fractions.val is not None:
        carved.append(("val", fractions.val, sum(counts[split][name] for split in ("train", "val"))))
    if fractions.test is not None:
        left = counts["train"][name] + (counts["val"][name] if carved else 0)
        carved.insert(0, ("test", fractions.test, left + counts["test"][name]))
    total = carved[0][2] if carved else 0
    if total == 1:
        return ": it has only one image"
    if total and lacking in ("train", *(split for split, *_ in carved)) and enough(lacking, name, total) == 1:
        together = "belong together, as near duplicates or by their group"
        return f": its {total:,} images {together}, and no fraction divides them"
    for split, fraction, images in carved:
        if split == lacking and fraction and images > 1:
            value = enough(split, name, images)
            what = f": subset.{split}_fraction = {fraction} of its {images:,} images is none, {value} is one"
            return what if round(images * fraction) == 0 else f"{what}{BY_CHANCE}"
    return ""


def enough(splits: dict[str, Split], ids: dict[str, int], fractions: Fractions) -> Enough:
    """Return a function that gives the smallest fraction with which a split gets an image of a class.

    It gives 1 if own pictures of the class all belong together, so that no fraction divides them.

    Args:
        splits: The splits; one that was carved lacks images of a class.
        ids: The labels of the chosen classes by name.
        fractions: The shares with which the splits were carved.
    """
    taken = {"val": fractions.val is None, "test": fractions.test is None}
    carved = [content for split, content in splits.items() if not taken.get(split)]

    def smallest(split: str, name: str, images: int) -> float:
        if splits["train"].keys is None:
            # The smallest fraction that rounds to one image, with the digits that it takes.
            values = (_up(0.5 / images, digits) for digits in range(1, 9))
            return next(value for value in values if round(images * value) == 1)
        keys = np.concatenate([part.keys_of(ids[name]) for part in carved])
        if len(np.unique(keys)) == 1:
            return 1.0
        return by_content.smallest_fraction(keys, (fractions.test or 0.0) if split == "val" else 0.0)

    return smallest


def _up(value: float, digits: int) -> float:
    """A value rounded up to a number of decimals, and beyond itself."""
    return round((math.floor(value * 10**digits) + 1) / 10**digits, digits)
