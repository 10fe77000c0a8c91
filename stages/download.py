"""Fetch a dataset as it was published, or check one's own pictures.

Published files are verified, byte by byte, and kept in a cache for the next time. Own pictures stay where
they are; they are decoded once, and an index of them is written. Reads the network, a registry, a local
archive, the cache or the pictures; writes data/raw and reports/data_faults.csv.
"""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pydantic

from stages.running import command, ellipsis, errors, given, outputs, paramfile, plugins
from stages.sources import listing, published, raw


class Params(paramfile.Section):
    """Parameters: which dataset, and from where. `dataset` is a name and that dataset's options."""

    dataset: dict[str, Any]
    images: str
    source: published.Source
    archive: str

    @pydantic.field_validator("archive", "images", mode="before")
    @classmethod
    def _place(cls, place: object, info: pydantic.ValidationInfo) -> object:
        if not place:
            name = f"data/{info.field_name}"
            raise ValueError(f"expected a file or folder, received {place!r}; write {name} for none")
        return place

    @pydantic.field_validator("dataset", mode="before")
    @classmethod
    def _with_a_name(cls, dataset: object) -> object:
        if isinstance(dataset, str):
            builder = dataset.removeprefix("tfds:")
            meant = f"name: {dataset}" if builder == dataset else f"name: tfds, builder: {builder}"
            raise ValueError(f"expected a name and options, received {dataset!r}; write {{{meant}}}")
        return dataset


def download(params: Params, folder: Path, faults: Path) -> None:
    """Write the raw files and a manifest of their checksums to a folder, and a CSV file of faulty pictures.

    A dataset's module says where its files are published (see `published`), or has one of the functions

        fetch(options, source, archive, folder)  writes the files and returns the manifest
        collect(options, place, folder)          checks pictures, writes their index and returns what it found

    Raises:
        errors.BadInput: an unknown dataset or option, or what arrived is not what was published, or too many
            pictures are faulty.
        errors.Unreachable: no source could be reached.
    """
    name, dataset, options = plugins.choose("datasets", params.dataset, "download.dataset")
    archive = given.content(given.path(params.archive, "download.archive"))
    found: Sequence[listing.Fault] = ()
    with outputs.folder(folder) as partial:
        if hasattr(dataset, "collect"):
            place = given.path(params.images, "download.images")
            collected = dataset.collect(options, place, partial)
            manifest, found = collected.manifest, collected.faults
            print(*collected.remarks, sep="\n", end="\n" if collected.remarks else "", flush=True)
        elif hasattr(dataset, "fetch"):
            manifest = dataset.fetch(options, params.source, archive, partial)
        else:
            published.fetch(name, dataset, params.source, archive, partial)
            manifest = raw.Manifest(dataset=name, files=dataset.FILES, plugin=name)
        _write_faults(faults, found)
        if found:
            _require_few(found, collected.files, options, faults)
        raw.write(partial, manifest)


def _write_faults(path: Path, found: Sequence[listing.Fault]) -> None:
    with outputs.file(path) as partial:
        with partial.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            file.write(",".join(listing.Fault._fields) + "\n")
            csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(found)


def _require_few(found: Sequence[listing.Fault], files: int, options: listing.Checks, report: Path) -> None:
    """Stop for faulty pictures, as the options say.

    Raises:
        errors.BadInput: there are some, or more than may be skipped.
    """
    share = len(found) / files
    listed = ellipsis.first([f"{listing.shown(each.path)}: {each.kind}: {each.detail}" for each in found])
    what = f"{len(found):,} of {files:,} files cannot be used ({report} has all):\n{listed}"
    if options.faults == "error":
        too_many = f" and max_fault_share to {share:.2f} or more" if share > options.max_fault_share else ""
        raise errors.BadInput(
            f"{what}\nmend or remove them, or set download.dataset.faults to skip{too_many}"
        )
    if len(found) == files:
        raise errors.BadInput(f"{what}\nno picture is left")
    if share > options.max_fault_share:
        raise errors.BadInput(
            f"{what}\nthat is {share:.1%} of the files, more than download.dataset.max_fault_share ="
            f" {options.max_fault_share:.1%}"
        )
    print(f"left out: {what}", flush=True)


if __name__ == "__main__":
    command.run(download, Params)
