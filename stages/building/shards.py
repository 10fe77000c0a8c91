"""Build the encoded records of a split: what is in each shard is fixed before any of them is built."""

import contextlib
import hashlib
import json
import math
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import PIL

from stages.building import cluster, encoding, processes, shard, sources
from stages.inputs import arrays, encoded, manifest, normalize, npy
from stages.running import ahead, code, cores, disk, progress
from stages.sources import cache

SHARD_BYTES = 150_000_000  # of a shard, about
LARGEST_SHARD = 200_000_000  # bytes
SAMPLE = 64  # images that are encoded to know how large all will be
PER_IMAGE = 40  # bytes of a record beside the encoded image, about
SPARE = 1.1  # times the bytes that the sample leads to expect; the disk must have room for so many
REMEDY = (
    "lower records.encoded.quality, records.encoded.short_side, subset.image_size or subset.limit_per_class"
)


class Plan(NamedTuple):
    """The shards of a split.

    Attributes:
        chosen: The split.
        source: Its images.
        encoding: How they are encoded.
        summed: True to add up the pixels, for the normalization.
        bytes: Of all shards, as a sample of the images leads to expect.
        there: Of the shards that an earlier build has finished.
        name: A digest of everything that the shards depend on.
    """

    chosen: arrays.Chosen
    source: sources.Source
    encoding: encoding.Encoding
    summed: bool
    bytes: int
    there: int
    name: str

    @property
    def shards(self) -> int:
        """The number of shards."""
        return max(1, round(self.bytes / SHARD_BYTES), math.ceil(self.bytes / LARGEST_SHARD))

    @property
    def needed(self) -> int:
        """The bytes for which the disk must have room."""
        return max(0, int(self.bytes * SPARE) - self.there)

    @property
    def what(self) -> str:
        """The shards in words."""
        return f"{len(self.chosen.labels):,} encoded images in {self.shards:,} files"


class Written(NamedTuple):
    """What was written."""

    described: dict[str, Any]  # what the manifest says of the files
    sums: normalize.Sums  # over no pixels if they were not wanted


def plan(
    chosen: arrays.Chosen, source: sources.Source, how: encoding.Encoding, summed: bool, identity: list[Any]
) -> Plan:
    """Plan the shards of a split.

    Args:
        chosen: The split.
        source: Its images.
        how: How they are encoded.
        summed: True to add up the pixels.
        identity: See `sources.identity`.

    Raises:
        errors.BadInput: a picture is not the one that was downloaded.
    """
    count = len(chosen.labels)
    sample = np.unique(np.linspace(0, max(0, count - 1), min(SAMPLE, count)).astype(np.int64))

    def size(place: int) -> int:
        stored, _ = shard.pixels(source, place, how.short_side, shaped=False)
        return len(encoding.encode(stored, how))

    of_sample = sum(ahead.mapped(size, sample.tolist()))
    expected = count * (of_sample // max(1, len(sample)) + PER_IMAGE)
    facts = [identity, how, summed, expected, PIL.__version__, code.digest()]
    name = hashlib.blake2b(json.dumps(facts, sort_keys=True).encode(), digest_size=16).hexdigest()
    finished = (cache.folder() / "records" / name).glob("*.tfrecord")
    there = sum(path.stat().st_size for path in finished)
    return Plan(chosen, source, how, summed, expected, there, name)


@contextlib.contextmanager
def written(folder: Path, planned: Plan, scheduler: str | None) -> Iterator[Written]:
    """Build the shards in the cache, where they outlive a process that is killed, and put them into a folder.

    They are removed from the cache when the `with` statement ends without an error.

    Args:
        folder: The folder of the split; it exists.
        planned: The shards.
        scheduler: The address of Dask's scheduler; None builds on this machine.

    Raises:
        errors.StageError: see `cluster.results` and `shard.build`; or the disk has no room.
        OSError: the disk is full.
    """
    with cache.kept("records", planned.name) as place:
        for left in place.glob("*.partial"):
            left.unlink()
        remedy = f"{REMEDY}, or set {cache.NAME} to a folder on a disk with more"
        disk.require_space(place, planned.needed, remedy, planned.what)
        found = _built(planned, _jobs(planned, place.absolute()), scheduler)
        for each in found:
            name = encoded.shard_name(each.number)
            _link(place / name, folder / name)
        npy.save(folder / encoded.LABELS, planned.chosen.labels)
        yield _described(planned, found)
        for left in place.iterdir():
            left.unlink()


def _built(planned: Plan, jobs: list[shard.Job], scheduler: str | None) -> list[shard.Built]:
    """Let workers build the shards; return what they hold, in their order."""
    way = cluster.results(jobs, scheduler) if scheduler else processes.results(jobs, cores.usable())
    found = []
    label = "encoding train images"
    with contextlib.closing(way), progress.bar(len(planned.chosen.labels), label, "images") as bar:
        for built in way:
            found.append(built)
            bar.update(built.images)
    return sorted(found, key=lambda built: built.number)


def _described(planned: Plan, found: list[shard.Built]) -> Written:
    how, sums = planned.encoding, normalize.none_yet(planned.source.shape[-1])
    for built in found:
        sums = sums.add(normalize.Sums(built.pixels, np.array(built.total), np.array(built.squares)))
    stated = manifest.Encoded(
        format=how.format,
        quality=how.quality if how.format == "jpeg" else None,
        shard_images={encoded.shard_name(built.number): built.images for built in found},
        short_side=how.short_side,
    )
    most = max(built.most for built in found)
    described = {"encoded": stated.model_dump(), "images_per_record": most, "shards": len(found)}
    return Written(described, sums)


def _jobs(planned: Plan, folder: Path) -> list[shard.Job]:
    """Divide the images into shards, in their order."""
    chosen = planned.chosen
    parts = np.array_split(np.arange(len(chosen.labels)), planned.shards)
    # Two or more, so that the last shard does not leave a core idle.
    threads = max(2, -(-cores.usable() // planned.shards))
    return [
        shard.Job(
            number,
            planned.source.take(places),
            chosen.labels[places],
            chosen.positions[places],
            places,
            planned.encoding,
            planned.summed,
            folder,
            threads,
        )
        for number, places in enumerate(parts)
    ]


def _link(source: Path, target: Path) -> None:
    """Put a file into a second place without copying it if that is on the same disk; else move it."""
    try:
        os.link(source, target)
    except OSError:  # another disk, or one without links
        shutil.move(source, target)
