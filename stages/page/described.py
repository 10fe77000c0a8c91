"""What reports/data.json says of the data, checked, and in sentences."""

from collections.abc import Iterator

from stages.inputs import data_report
from stages.reporting import markdown
from stages.review import results, revision
from stages.running import ellipsis, paramfile

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


def source(data: data_report.Report) -> str:
    """Return what the images are, in words."""
    return "your pictures" if data.dataset in OWN else data.dataset


def counts(data: data_report.Report) -> list[tuple[str, list[int]]]:
    """Return each class with its images in training, validation and test."""
    return [(name, [data.images[split][name] for split in data_report.SPLITS]) for name in data.classes]


def read(files: revision.Revision) -> data_report.Report:
    """Read the data report of a revision.

    Raises:
        errors.BadInput: it is missing, or not as the subset stage writes it.
    """
    found = files.json(results.DATA)
    if found is None:
        raise files.fault(results.DATA, "the report of the subset stage", "none; run `dvc repro`")
    return paramfile.check(data_report.Report, found, f"{results.DATA} of {files.name}")


def sentences(data: data_report.Report) -> Iterator[str]:
    """Yield what is remarkable of the data, in Markdown."""
    several = data.contradictions
    if several.pictures:
        places = [_either(places) for places in several.places]
        verb = "picture has" if several.pictures == 1 else "pictures have"
        yield f"**{several.pictures:,} {verb} several classes**, pixel for pixel: {_some(places)}."
    else:
        yield "No picture has two classes."
    for split, lost in data_report.dropped(data.repeated).items():
        word = data_report.SPLITS[split]
        yield f"{lost:,} images were dropped from the {word} split, because another split has their like."
    if data.unused:
        named = [f"{markdown.name(split)} ({count:,} images)" for split, count in data.unused.items()]
        yield f"Published splits that are not used: {_some(named)}."
    yield from _own(data.pictures)


def _own(pictures: data_report.Pictures | data_report.Published) -> Iterator[str]:
    if isinstance(pictures, data_report.Published):
        return
    formats = [f"{markdown.name(name)} {count:,}" for name, count in pictures.formats.items()]
    notes = [f"{NOTES.get(name, markdown.name(name))} {count:,}" for name, count in pictures.notes.items()]
    if formats:
        yield f"Pictures by format: {_some(formats)}."
    if notes:
        yield f"Pictures with what may surprise: {_some(notes)}."
    near = pictures.near_duplicates
    if near.pairs:
        named = [" and ".join(map(markdown.name, pair.pictures)) for pair in near.pairs]
        more = ", and more than are listed" if near.more else ""
        yield f"Near duplicates, which are kept in one split: {_some(named, '; ')}{more}."
    for title, names in pictures.odd.items():
        yield f"The {ellipsis.cut(title, 40)}: {_some(list(map(markdown.name, names)))}."


def _either(places: list[data_report.Place]) -> str:
    return " and ".join(
        f"{markdown.name(place.class_)} ({markdown.name(place.position)}, "
        f"{data_report.SPLITS.get(place.split, markdown.name(place.split))})"
        for place in places
    )


def _some(texts: list[str], comma: str = ", ") -> str:
    more = [f"and {len(texts) - MOST_NAMED:,} more"] if len(texts) > MOST_NAMED else []
    return comma.join([*texts[:MOST_NAMED], *more])


def total(data: data_report.Report) -> list[int]:
    """Return the images of each split."""
    return [sum(data.images[split].values()) for split in data_report.SPLITS]
