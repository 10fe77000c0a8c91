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
    if facts := describe.together(splits):
        owners = [(content, i) for content in splits.values() for i in content.positions.tolist()]
        chosen = {}
        for kind, places in describe.odd(facts).items():
            chosen[kind] = [_shown(owners[place], facts["path"][place]) for place in places]
        return chosen
    train = splits["train"]
    labels = train.labels[train.positions]
    first_of_classes = {}
    for name, label in list(ids.items())[:CLASSES]:
        first = train.positions[labels == label][: describe.ODD].tolist()
        first_of_classes[name] = [_shown((train, position), "") for position in first]
    return first_of_classes


def sizes(splits: dict[str, carve.Split]) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the widths and heights of own pictures, int [N] each; None for published images."""
    facts = describe.together(splits)
    return (facts["width"], facts["height"]) if facts else None


def _shown(place: tuple[carve.Split, int], name: str) -> Shown:
    split, position = place
    if isinstance(split.images, np.ndarray):
        image = picture.recolour(split.images[position], 3)
    else:
        image = split.images.decode(position, picture.Colours(3))
    return Shown(resizing.resize(image, [PIXELS, PIXELS], "pad"), name)
