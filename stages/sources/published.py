"""Fetch published files by the first route that works, verify them, and keep them in the cache.

A dataset with published files is a module of stages/datasets/ that defines

    FILES   the checksums of the files, MD5 or SHA-256, by name
    LARGEST the bytes of the largest file; no more is read of any, if it is there
    unpack  yields (name, content) of the published files among an archive's members, see `archives.members`
    ORIGIN  the arguments of `origin.File` for each of the published archives or single files
    MIRROR  the arguments of `packages.Package`: a package that carries the files, if there is one
    bundled yields (name, content) of the files, if an installed package has them; then no route is needed
"""

import itertools
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Literal

from stages.running import errors
from stages.sources import archives, cache, checksums, origin, packages

Source = Literal["auto", "origin", "mirror"]
# A slow origin is better than none, and worse than any mirror.
ROUTES = {
    "auto": ["fast origin", "mirror", "origin"],
    "origin": ["origin"],
    "mirror": ["mirror"],
}


def fetch(name: str, dataset: ModuleType, source: Source, archive: Path | None, folder: Path) -> None:
    """Write the published files of a dataset to a folder; the bytes are the same for every route.

    Args:
        name: The name of the dataset and of its folder in the cache.
        dataset: The module of the dataset; see the top of this file.
        source: The routes to try.
        archive: A file or folder to use instead of a route; or None.
        folder: The folder that the files are written to; it exists.

    Raises:
        errors.Unreachable: no route works.
        errors.BadInput: what is in the archive is not what was published.
    """
    if hasattr(dataset, "bundled") and archive is None:
        _write(dataset, dataset.bundled(), "an installed package", folder)
        return
    cached = cache.folder() / name
    if archive is not None:
        _store(dataset, [archive], str(archive), cached)
    elif not _is_complete(dataset.FILES, cached):
        _fill(name, dataset, source, cached)
    for file in dataset.FILES:
        shutil.copyfile(cached / file, folder / file)


def _fill(name: str, dataset: ModuleType, source: Source, cached: Path) -> None:
    """Fill the cache from the first route that works."""
    failures = []
    for route in ROUTES[source]:
        with cache.scratch() as scratch:
            try:
                _store(dataset, _archives(route, dataset, scratch), route, cached)
                return
            except errors.StageError as error:
                failures.append(f"  {route}: {error}")
    raise errors.Unreachable(
        f"could not fetch {name}; every source of download.source={source!r} failed:\n"
        + "\n".join(failures)
        + "\n  A copy you have can be used: put it into data/archive, or set download.archive to its place."
    )


def _archives(route: str, dataset: ModuleType, scratch: Path) -> list[Path]:
    """Fetch what a route offers: archives, or single files."""
    if route == "mirror":
        if not hasattr(dataset, "MIRROR"):
            raise errors.Unreachable("this dataset has none")
        return [packages.fetch(packages.Package(*dataset.MIRROR), scratch)]
    files = [origin.File(*each) for each in dataset.ORIGIN]
    rate = origin.probe(files[0].url)
    if route == "fast origin" and rate < origin.SLOW_BYTES_PER_SECOND:
        raise errors.Unreachable(f"{files[0].url} answers with only {rate / 1000:.0f} kB/s")
    return [origin.download(file, scratch) for file in files]


def _store(dataset: ModuleType, fetched: Sequence[Path], source: str, cached: Path) -> None:
    """Unpack the published files into the cache: all of them, verified, or none.

    The scratch folder has a unique name, because other checkouts share the cache.
    """
    most = getattr(dataset, "LARGEST", None)
    members = itertools.chain.from_iterable(archives.members(each, most) for each in fetched)
    with cache.scratch() as scratch:
        fresh = scratch / cached.name
        fresh.mkdir()
        _write(dataset, dataset.unpack(members), source, fresh)
        if not _is_complete(dataset.FILES, cached):
            shutil.rmtree(cached, ignore_errors=True)
            fresh.rename(cached)


def _write(dataset: ModuleType, files: Iterable[tuple[str, bytes]], source: str, folder: Path) -> None:
    missing = dict(dataset.FILES)
    for name, content in files:
        (folder / name).write_bytes(content)
        checksums.require(folder / name, dataset.FILES[name], source)
        missing.pop(name, None)
    if missing:
        raise errors.BadInput(
            f"{source}: expected the files {', '.join(dataset.FILES)}; lacking {', '.join(missing)}"
        )


def _is_complete(files: dict[str, str], folder: Path) -> bool:
    return all(checksums.fits(folder / name, checksum) for name, checksum in files.items())
