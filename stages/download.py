"""Fetch a dataset as it was published, verify every byte, and keep it in a cache for the next time.

Reads the network, a registry, a local archive or the cache; writes data/raw.
"""

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Literal

import pydantic

from stages.datasets import cifar10, digits, fashion_mnist
from stages.running import command, errors, outputs, paramfile
from stages.sources import archives, cache, checksums, given, origin, packages

DATASETS: dict[str, ModuleType] = {"cifar10": cifar10, "digits": digits, "fashion_mnist": fashion_mnist}
# A slow origin is better than none, and worse than any mirror.
ROUTES = {
    "auto": ["fast origin", "mirror", "origin"],
    "origin": ["origin"],
    "mirror": ["mirror"],
}


class Params(paramfile.Section):
    """Which dataset, from where."""

    dataset: str
    source: Literal["auto", "origin", "mirror"]
    archive: str

    @pydantic.field_validator("archive", mode="before")
    @classmethod
    def _place(cls, archive: object) -> object:
        if not archive:
            raise ValueError(f"expected a file or folder, received {archive!r}; write data/archive to fetch")
        return archive

    @pydantic.field_validator("dataset")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in DATASETS and not (name.startswith("tfds:") and len(name) > len("tfds:")):
            raise errors.unknown("dataset", name, [*DATASETS, "tfds:<name>"])
        return name


def download(params: Params, raw: Path) -> None:
    """Write the published files and a manifest of their checksums to the folder `raw`.

    The bytes are the same whatever route they came by.

    Raises:
        errors.BadInput: no source could be reached, or what arrived is not what was published.
    """
    archive = given.content(given.path(params.archive, "download.archive"))
    if params.dataset == "digits" and archive is None:
        _unpack_digits(raw)
        return
    if params.dataset.startswith("tfds:"):
        dataset, published = _prepared(params, archive)
        plain = [file for file in sorted(published.iterdir()) if file.is_file()]
        files = {file.name: checksums.of_file(file, "sha256") for file in plain}
    else:
        dataset, published = params.dataset, _published(params, archive)
        files = DATASETS[dataset].FILES
    with outputs.folder(raw) as partial:
        for name in files:
            shutil.copyfile(published / name, partial / name)
        _write_manifest(partial, dataset, files)


def _unpack_digits(raw: Path) -> None:
    """The digits come with scikit-learn: they need no cache."""
    with outputs.folder(raw) as partial:
        for name, content in digits.bundled():
            (partial / name).write_bytes(content)
            checksums.require(partial / name, digits.FILES[name], "scikit-learn")
        _write_manifest(partial, "digits", digits.FILES)


def _write_manifest(folder: Path, dataset: str, files: dict[str, str]) -> None:
    outputs.write_json(folder / "manifest.json", {"dataset": dataset, "files": files})


def _published(params: Params, archive: Path | None) -> Path:
    """A folder in the cache with the dataset's published files, verified now."""
    dataset, cached = DATASETS[params.dataset], cache.folder() / params.dataset
    if archive is not None:
        _store(dataset, archives.members(archive), str(archive), cached)
    elif not _is_complete(dataset.FILES, cached):
        _fetch(params, dataset, cached)
    return cached


def _fetch(params: Params, dataset: ModuleType, cached: Path) -> None:
    """Fill the cache from the first route that works."""
    failures = []
    for route in ROUTES[params.source]:
        with tempfile.TemporaryDirectory(dir=cache.made(), prefix="fetching-") as scratch:
            try:
                fetched = _archives(route, params.dataset, dataset, Path(scratch))
                _store(dataset, _members(fetched), route, cached)
                return
            except errors.BadInput as error:
                failures.append(f"  {route}: {error}")
    raise errors.BadInput(
        f"could not fetch {params.dataset}; every source of download.source={params.source!r} failed:\n"
        + "\n".join(failures)
        + "\n  A copy you have can be used: put it into data/archive, or set download.archive to its place."
    )


def _archives(route: str, name: str, dataset: ModuleType, scratch: Path) -> dict[str, Path]:
    """Fetch what a route offers: archives by their published file names."""
    if route == "mirror":
        path = packages.fetch(packages.Package(*dataset.MIRROR), scratch)
        return {path.name: path}
    rate = origin.probe(dataset.URLS[0])
    if route == "fast origin" and rate < origin.SLOW_BYTES_PER_SECOND:
        raise errors.BadInput(f"{dataset.URLS[0]} answers with only {rate / 1000:.0f} kB/s")
    return origin.fetch(name, dataset.URLS, scratch)


def _members(fetched: dict[str, Path]) -> Iterator[tuple[str, bytes]]:
    for published, path in fetched.items():
        for name, content in archives.members(path):
            # TFDS renames what it downloads, so a file that is no archive gets its own name back.
            own = name == path.name.removesuffix(".gz")
            yield (published.removesuffix(".gz") if own else name), content


def _store(dataset: ModuleType, members: Iterable[tuple[str, bytes]], source: str, cached: Path) -> None:
    """Unpack the published files into the cache; all of them and verified, or none.

    The scratch folder has a name of its own, since other checkouts share the cache.
    """
    missing = dict(dataset.FILES)
    with tempfile.TemporaryDirectory(dir=cache.made(), prefix="unpacking-") as scratch:
        fresh = Path(scratch) / cached.name
        fresh.mkdir()
        for name, content in dataset.unpack(members):
            (fresh / name).write_bytes(content)
            checksums.require(fresh / name, dataset.FILES[name], source)
            missing.pop(name, None)
        if missing:
            raise errors.BadInput(
                f"{source}: expected the files {', '.join(dataset.FILES)}; lacking {', '.join(missing)}"
            )
        if not _is_complete(dataset.FILES, cached):
            shutil.rmtree(cached, ignore_errors=True)
            fresh.rename(cached)


def _is_complete(files: dict[str, str], folder: Path) -> bool:
    return all(checksums.fits(folder / name, checksum) for name, checksum in files.items())


def _prepared(params: Params, archive: Path | None) -> tuple[str, Path]:
    """A dataset's whole name and its folder as TFDS prepared it, in the cache or given as the archive."""
    from stages.datasets import tfds as tfds_datasets  # 0.3 s to import, only for these datasets

    name = params.dataset.removeprefix("tfds:")
    if archive is not None:
        folder = archive
    elif params.source == "mirror":
        raise errors.BadInput(f"{params.dataset} has no mirror; set download.source to origin or auto")
    else:
        data_dir = cache.made("tfds")
        for url in tfds_datasets.urls(name, data_dir)[:1]:
            origin.probe(url)
        folder = tfds_datasets.prepare(name, data_dir)
    return f"tfds:{tfds_datasets.require(name, folder)}", folder


if __name__ == "__main__":
    command.run(download, Params)
