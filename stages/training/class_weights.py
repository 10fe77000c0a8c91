"""How much an image counts in the loss, by its class.

The weights have a mean of 1 over an epoch's training images, so that the learning rate keeps its meaning.
"""

import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import numpy as np
import pydantic

from stages.running import ellipsis, errors

SHOWN = 200  # characters of a value or of names, in an error


def _checked(value: object) -> object:
    if value in ("none", "balanced"):
        return value
    if isinstance(value, Mapping) and value:
        wrong = [(name, weight) for name, weight in value.items() if not _is_weight(name, weight)]
        if not wrong:
            return {name: float(weight) for name, weight in value.items()}
        value = dict(wrong)
    raise ValueError(
        "expected none, balanced, or {name: weight} with all classes' names as text and weights above 0,"
        f" received {ellipsis.cut(repr(value), SHOWN)}"
    )


def _is_weight(name: object, weight: object) -> bool:
    is_number = isinstance(weight, int | float) and not isinstance(weight, bool)
    return isinstance(name, str) and is_number and 0 < weight <= sys.float_info.max  # type: ignore[operator]


Wanted = Annotated[Literal["none", "balanced"] | dict[str, float], pydantic.PlainValidator(_checked)]


def by_label(wanted: Wanted, classes: Sequence[str], images: Sequence[int]) -> np.ndarray | None:
    """Return the weight of an image of each class, float32 [K]; None if all are alike.

    Args:
        wanted: "balanced" gives the images of each class together the same weight; a mapping gives the weight
            of each class relative to the others; "none" gives all images the same.
        classes: K names, in the order of the labels.
        images: The number of images of each class in an epoch.

    Raises:
        errors.BadInput: a weight is missing or is that of an unknown class.
    """
    if wanted == "none":
        return None
    counts = np.array(images, np.float64)
    if isinstance(wanted, str):
        weights = np.divide(1, counts, out=np.zeros_like(counts), where=counts > 0)
    else:
        _require_all(wanted, classes)
        weights = np.array([wanted[name] for name in classes]) / max(wanted.values())
    return (weights * counts.sum() / (weights @ counts)).astype(np.float32)


def _require_all(wanted: Mapping[str, float], classes: Sequence[str]) -> None:
    for name in wanted:
        if name not in classes:
            raise errors.BadInput(f"train.class_weight: {errors.unknown('class', name, classes)}")
    if missing := [name for name in classes if name not in wanted]:
        raise errors.BadInput(
            f"train.class_weight: expected a weight of each of {len(classes):,} classes, received none of"
            f" {ellipsis.cut(', '.join(missing), SHOWN)}"
        )
