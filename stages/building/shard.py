"""Build one file of encoded records: a function of a job, in any process on any machine.

A file appears under its name only when it is whole, and a second file beside it says what it holds. Where
both are there, the shard is not built again.
"""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stages.building import encoding, sources
from stages.inputs import encoded, encoded_example, normalize, tfrecord
from stages.running import ahead, durable, errors, outputs, paramfile


class Job(NamedTuple):
    """All that a shard depends on, and where it is built.

    Attributes:
        number: The number of the shard.
        source: Its n images.
        labels: int64 [n].
        positions: int64 [n], in the published split.
        places: int64 [n], among all images.
        encoding: How they are encoded.
        summed: True to add up the pixels, for the normalization.
        folder: Where the shard is built; other machines must see the same folder.
        threads: How many images are worked on at a time, at most.
    """

    number: int
    source: sources.Source
    labels: np.ndarray
    positions: np.ndarray
    places: np.ndarray
    encoding: encoding.Encoding
    summed: bool
    folder: Path
    threads: int


class Built(paramfile.Section):
    """What a shard holds."""

    number: int
    images: int
    bytes: int
    most: int  # images of a record
    pixels: int  # that were added up
    total: list[int]  # by channel
    squares: list[int]


def build(job: Job) -> Built:
    """Build a shard, unless it is there, and say what it holds.

    Raises:
        errors.BadInput: a picture is not the one that was downloaded, or the folder is not there.
        OSError: the disk is full.
    """
    path = job.folder / encoded.shard_name(job.number)
    if (done := finished(path)) is not None:
        return done
    if not job.folder.is_dir():
        raise errors.BadInput(
            f"expected the folder {job.folder} on the machine that builds records, found none; let all"
            " machines see the same folders, and set IMAGE_PIPELINE_CACHE to one of them"
        )
    partial = job.folder / f"{path.name}.{uuid.uuid4().hex}.partial"
    found = _Found(normalize.none_yet(job.source.shape[-1]))
    try:
        tfrecord.write_shard(partial, _records(job, found))
        durable.flush(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    built = Built(
        number=job.number,
        images=len(job.labels),
        bytes=path.stat().st_size,
        most=found.most,
        pixels=found.sums.pixels,
        total=found.sums.total.tolist(),
        squares=found.sums.squares.tolist(),
    )
    outputs.write_json(_facts(path), built.model_dump())
    durable.flush(_facts(path))
    durable.flush(job.folder)
    return built


def finished(path: Path) -> Built | None:
    """Return what a shard holds that was built before; None if it was not."""
    try:
        built = outputs.read(Built, _facts(path))
        return built if path.stat().st_size == built.bytes else None
    except (errors.BadInput, OSError):
        return None


def _facts(path: Path) -> Path:
    return path.with_suffix(".json")


class _Found:
    """What is found of the images on the way."""

    def __init__(self, sums: normalize.Sums):
        self.sums, self.most = sums, 0


def _records(job: Job, found: _Found) -> Iterator[bytes]:
    """Yield the records of a shard."""
    contents: list[bytes] = []
    shapes: list[tuple[int, int]] = []
    first = held = 0
    prepared = ahead.mapped(lambda place: _prepared(job, place), range(len(job.labels)), job.threads)
    for place, (content, shape, sums) in enumerate(prepared):
        if contents and held + len(content) > encoded.RECORD_BYTES:
            yield _record(job, first, contents, shapes, found)
            contents, shapes, first, held = [], [], place, 0
        contents.append(content)
        held += len(content)
        shapes.append(shape)
        if sums is not None:
            found.sums = found.sums.add(sums)
    if contents:
        yield _record(job, first, contents, shapes, found)


def _record(
    job: Job, first: int, contents: list[bytes], shapes: list[tuple[int, int]], found: _Found
) -> bytes:
    found.most = max(found.most, len(contents))
    here = slice(first, first + len(contents))
    columns = job.labels[here], job.places[here], job.positions[here]
    return encoded_example.serialize(contents, *columns, np.array(shapes))


def _prepared(job: Job, place: int) -> tuple[bytes, tuple[int, int], normalize.Sums | None]:
    """Decode and encode an image: the bytes, height and width, and the sums over its pixels if wanted."""
    stored, image = pixels(job.source, place, job.encoding.short_side, job.summed)
    sums = normalize.sums(image[np.newaxis]) if job.summed and image is not None else None
    height, width = stored.shape[:2]
    return encoding.encode(stored, job.encoding), (height, width), sums


def pixels(
    source: sources.Source, place: int, short_side: int | None, shaped: bool
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the pixels that are stored of an image, and those in the images' shape if they are wanted."""
    if short_side is None or isinstance(source, sources.Stored):
        image = source.image(place)
        return image, image
    whole = source.whole(place)
    return encoding.shrunk(whole, short_side), source.shaped(whole) if shaped else None
