"""Choose the pictures that the page about the data shows."""

from typing import NamedTuple

import numpy as np

from stages.decoding import picture, resizing
from stages.splits import carve, describe

PIXELS = 96  # height and width of a picture on the page
CLASSES = 8  # whose first images are shown, of a published dataset


class Shown(NamedTuple):
    """A picture on the page."""

    image: np.ndarray  # uint8 [PIXELS, PIXELS, 3]
    name: str


def rows(splits: dict[str, carve.Split], ids: dict[str, int]) -> dict[str, list[Shown]]:
    """Choose pictures by the title of their row: the odd ones of own pictures, else the first of each class.

    Args:
        splits: The splits.
        ids: The labels of the chosen classes by name.

    Raises:
        errors.BadInput: a picture cannot be decoded.
    """
    if describe.is_own(splits):
        paths = describe.together(splits, "path")
        return {
            kind: [_shown(_owner(splits, place), paths[place]) for place in places.tolist()]
            for kind, places in describe.odd(splits).items()
        }
    train = splits["train"]
    labels = train.labels[train.positions]
    first_of_classes = {}
    for name, label in list(ids.items())[:CLASSES]:
        first = train.positions[labels == label][: describe.ODD].tolist()
        first_of_classes[name] = [_shown((train, position), "") for position in first]
    return first_of_classes


def sizes(splits: dict[str, carve.Split]) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the widths and heights of own pictures, int [N] each; None for published images."""
    if not describe.is_own(splits):
        return None
    return describe.together(splits, "width"), describe.together(splits, "height")


def _owner(splits: dict[str, carve.Split], place: int) -> tuple[carve.Split, int]:
    """Return the split of a picture, by its place among those of all splits, and its position there."""
    for content in splits.values():
        if place < len(content.positions):
            return content, int(content.positions[place])
        place -= len(content.positions)
    raise IndexError(place)


def _shown(place: tuple[carve.Split, int], name: str) -> Shown:
    split, position = place
    if isinstance(split.images, np.ndarray):
        image = picture.recolour(split.images[position], 3)
    else:
        image = split.images.decode(position, picture.Colours(3))
    return Shown(resizing.resize(image, [PIXELS, PIXELS], "pad"), name)
