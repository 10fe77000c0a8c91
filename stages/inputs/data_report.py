"""The report on the data, which the subset stage writes and later commands read: data.json."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pydantic

from stages.running import outputs, paramfile

SPLITS = {"train": "training", "val": "validation", "test": "test"}  # in words


class _Open(paramfile.Section):
    """Values of which only some are known to readers."""

    model_config = pydantic.ConfigDict(extra="allow")


class Place(paramfile.Section):
    """Where a picture is."""

    class_: str = pydantic.Field(alias="class")
    position: int | str
    split: str


class Contradictions(paramfile.Section):
    """Pictures that are under several classes."""

    pictures: paramfile.Count
    places: list[list[Place]]  # of the first pictures


class Params(_Open):
    """The section `subset` of params.yaml."""

    background: str
    conflicts: str
    image_size: list[int] | None
    limit_per_class: int | None
    resize: str
    test_fraction: float | None
    val_fraction: float | None


class BySplit(paramfile.Section):
    """A number for each split."""

    train: float
    val: float
    test: float


class Shares(_Open):
    """The shares of the pictures that the splits got."""

    got: BySplit


class Likes(_Open):
    """Two own pictures that are near duplicates."""

    pictures: list[str]


class NearDuplicates(_Open):
    """Own pictures that look alike."""

    more: bool
    pairs: list[Likes]


class Pictures(_Open):
    """A description of own pictures."""

    formats: dict[str, paramfile.Count]
    groups: paramfile.Count
    near_duplicates: NearDuplicates
    notes: dict[str, paramfile.Count]
    odd: dict[str, list[str]]
    shares: Shares


class Published(paramfile.Section):
    """No description: the images are a published dataset's."""


class Report(paramfile.Section):
    """Where images are from, and what each split holds."""

    classes: list[str]  # in the order of their labels
    contradictions: Contradictions
    dataset: str
    images: dict[str, dict[str, paramfile.Count]]  # by split and class
    params: Params
    pictures: Pictures | Published
    repeated: dict[str, dict[str, int | list[Any]]]  # by split; "within" is a number of images
    unused: dict[str, paramfile.Count]  # images by published split

    @pydantic.field_validator("images")
    @classmethod
    def _of_all(cls, images: dict, others: pydantic.ValidationInfo) -> dict:
        classes = others.data.get("classes", [])
        for split in SPLITS:
            if set(images.get(split, {})) != set(classes):
                raise ValueError(f"expected the images of each class in {split}")
        return images

    @pydantic.field_validator("repeated")
    @classmethod
    def _of_splits(cls, repeated: dict) -> dict:
        for split in SPLITS:
            if not isinstance(repeated.get(split, {}).get("within"), int):
                raise ValueError(f"expected the number of repeats within {split}")
        return repeated


def read(path: Path) -> Report:
    """Read the report.

    Raises:
        errors.BadInput: it is missing, or not as the subset stage writes it.
    """
    return outputs.read(Report, path)


def dropped(repeated: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    """Count the images that were dropped from a split because another split has them, without zeros.

    Args:
        repeated: `Report.repeated`.
    """
    found = {
        split: sum(len(positions) for positions in lists.values() if isinstance(positions, list))
        for split, lists in repeated.items()
    }
    return {split: found[split] for split in SPLITS if found.get(split)}
