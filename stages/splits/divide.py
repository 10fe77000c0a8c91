"""Divide a dataset's images into train, validation and test, without any image or its like in two of them."""

from typing import Any, Literal, NamedTuple

import numpy as np

from stages.splits import by_content, carve, repeats, sized

Conflicts = Literal["keep", "error", "drop"]  # what happens with pictures that are under several classes


class Divided(NamedTuple):
    """The splits, and what was found on the way to them."""

    splits: dict[str, carve.Split]
    counts: dict[str, dict[str, int]]  # images by split and class
    conflicts: list[list[dict[str, Any]]]  # the places of each picture that is under several classes
    repeated: dict[str, dict]  # see `repeats.without_repeats`


def divide(
    published: dict[str, carve.Published],
    names: list[str],
    chosen: list[str],
    fractions: carve.Fractions,
    conflicts: Conflicts,
    seed: int,
    form: sized.Form,
) -> Divided:
    """Carve the splits, and drop images that would be in two of them.

    Args:
        published: The published splits.
        names: The dataset's classes in the order of their labels.
        chosen: The classes to take.
        fractions: The shares of the splits.
        conflicts: What happens with pictures that are under several classes.
        seed: The seed of the shuffling.
        form: The form of the images, in which equal ones are found.

    Raises:
        errors.BadInput: see `carve.split`; a class has no image in a split; or there are conflicts, which
            are to be errors.
    """
    ids = {name: names.index(name) for name in chosen}
    splits = carve.split(published, list(ids.values()), fractions, seed)
    pixels = {split: _pixels(content, form) for split, content in splits.items()}
    found = repeats.contradictions(splits, pixels, names)
    if conflicts == "error":
        repeats.require_none(found)
    if conflicts == "drop":
        splits, pixels = repeats.without(splits, pixels, found)
    kin = {
        split: pixels[split] if content.keys is None else content.chosen_keys
        for split, content in splits.items()
    }
    kept, repeated = repeats.without_repeats(splits, kin, pixels)
    counts = {split: carve.count(content, ids) for split, content in kept.items()}
    enough = carve.enough(kept, ids, fractions)
    carve.require_images(counts, fractions, enough)
    return Divided(kept, counts, found, repeated)


def _pixels(split: carve.Split, form: sized.Form) -> np.ndarray:
    """Return a digest of each image's pixels, void [n]; those of own pictures are known."""
    return repeats.digests(sized.images(split, form)) if split.keys is None else split.fact("pixels")


def with_keys(
    published: dict[str, tuple[Any, np.ndarray]], near: bool, seed: int
) -> dict[str, carve.Published]:
    """Give own pictures the keys by which they stay together: equal ones, and those of a group.

    Args:
        published: The images and labels of each published split, as a dataset's `read` gives them.
        near: True if near duplicates stay together, too.
        seed: The seed of the splits.
    """
    if not all(hasattr(images, "facts") for images, _ in published.values()):
        return {split: carve.Published(*content) for split, content in published.items()}
    from stages.splits import kin  # imports SciPy, which takes half a second

    pixels, hashes, groups = (
        np.concatenate([images.fact(name) for images, _ in published.values()])
        for name in ("pixels", "hash", "group")
    )
    components = kin.components(pixels, hashes if near else np.zeros_like(hashes), groups)
    keys = by_content.keys(by_content.names(components, pixels, groups), seed)[components]
    ends = np.cumsum([len(labels) for _, labels in published.values()])
    return {
        split: carve.Published(images, labels, keys[end - len(labels) : end])
        for (split, (images, labels)), end in zip(published.items(), ends, strict=True)
    }
