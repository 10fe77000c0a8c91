"""What reports/data.json says of the data, checked, and in sentences."""

from collections.abc import Iterator, Mapping
from typing import Any

import pydantic

from stages.reporting import markdown
from stages.review import results, revision
from stages.running import ellipsis, paramfile

SPLITS = {"train": "training", "val": "validation", "test": "test"}
MOST_NAMED = 10  # of anything in a sentence
OWN = "folder", "table"  # datasets of own pictures
NOTES = {
    "alpha": "transparency",
    "cmyk": "colours for print",
    "deep": "more than 8 bits a channel",
    "extension": "another format than their name says",
    "frames": "several frames, of which the first counts",
    "profile": "a colour profile that was applied",
    "turned": "turned upright as their EXIF data says",
}


class _Loose(paramfile.Section):
    """A part of the report; a page shows some of its keys, and newer ones are no fault."""

    model_config = pydantic.ConfigDict(extra="ignore")


class Place(_Loose):
    """Where a picture is."""

    class_: str = pydantic.Field(alias="class")
    position: str | int
    split: str


class Contradictions(_Loose):
    """Pictures that have several classes."""

    pictures: int
    places: list[list[Place]]


class Likes(_Loose):
    """Two own pictures that are near duplicates."""

    pictures: list[str]


class NearDuplicates(_Loose):
    """Own pictures that look alike."""

    more: bool
    pairs: list[Likes]


class Pictures(_Loose):
    """What own pictures are; empty of published images."""

    formats: dict[str, int] = pydantic.Field(default_factory=dict)
    near_duplicates: NearDuplicates | None = None
    notes: dict[str, int] = pydantic.Field(default_factory=dict)
    odd: dict[str, list[str]] = pydantic.Field(default_factory=dict)


class Data(_Loose):
    """The data report."""

    classes: list[str]
    contradictions: Contradictions
    dataset: str
    images: dict[str, dict[str, int]]
    pictures: Pictures
    repeated: dict[str, dict[str, Any]]
    unused: dict[str, int]

    @property
    def source(self) -> str:
        """What the images are, in words."""
        return "your pictures" if self.dataset in OWN else self.dataset

    def counts(self) -> list[tuple[str, list[int]]]:
        """Return each class with its images in training, validation and test."""
        return [
            (name, [self.images.get(split, {}).get(name, 0) for split in SPLITS]) for name in self.classes
        ]


def read(files: revision.Revision) -> Data:
    """Read the data report of a revision.

    Raises:
        errors.BadInput: it is missing, or not as the subset stage writes it.
    """
    found = files.json(results.DATA)
    if found is None:
        raise files.fault(results.DATA, "the report of the subset stage", "none; run `dvc repro`")
    return paramfile.check(Data, found, f"{results.DATA} of {files.name}")


def sentences(data: Data) -> Iterator[str]:
    """Yield what is remarkable of the data, in Markdown."""
    several = data.contradictions
    if several.pictures:
        places = [_either(places) for places in several.places]
        verb = "picture has" if several.pictures == 1 else "pictures have"
        yield f"**{several.pictures:,} {verb} several classes**, pixel for pixel: {_some(places)}."
    else:
        yield "No picture has two classes."
    for split, word in SPLITS.items():
        lost = sum(
            len(positions)
            for key, positions in data.repeated.get(split, {}).items()
            if key != "within" and isinstance(positions, list)
        )
        if lost:
            yield f"{lost:,} images were dropped from the {word} split, because another split has their like."
    if data.unused:
        named = [f"{markdown.name(split)} ({count:,} images)" for split, count in data.unused.items()]
        yield f"Published splits that are not used: {_some(named)}."
    yield from _own(data.pictures)


def _own(pictures: Pictures) -> Iterator[str]:
    formats = [f"{markdown.name(name)} {count:,}" for name, count in pictures.formats.items()]
    notes = [f"{NOTES.get(name, markdown.name(name))} {count:,}" for name, count in pictures.notes.items()]
    if formats:
        yield f"Pictures by format: {_some(formats)}."
    if notes:
        yield f"Pictures with what may surprise: {_some(notes)}."
    near = pictures.near_duplicates
    if near and near.pairs:
        named = [" and ".join(map(markdown.name, pair.pictures)) for pair in near.pairs]
        more = ", and more than are listed" if near.more else ""
        yield f"Near duplicates, which are kept in one split: {_some(named, '; ')}{more}."
    for title, names in pictures.odd.items():
        yield f"The {ellipsis.cut(title, 40)}: {_some(list(map(markdown.name, names)))}."


def _either(places: list[Place]) -> str:
    return " and ".join(
        f"{markdown.name(place.class_)} ({markdown.name(place.position)}, "
        f"{SPLITS.get(place.split, markdown.name(place.split))})"
        for place in places
    )


def _some(texts: list[str], comma: str = ", ") -> str:
    more = [f"and {len(texts) - MOST_NAMED:,} more"] if len(texts) > MOST_NAMED else []
    return comma.join([*texts[:MOST_NAMED], *more])


def total(counts: Mapping[str, Mapping[str, int]]) -> list[int]:
    """Return the images of each split."""
    return [sum(counts.get(split, {}).values()) for split in SPLITS]
