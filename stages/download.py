"""Fetch a dataset as it was published, verify every byte, and keep it in a cache for the next time.

Reads the network, a registry, a local archive or the cache; writes data/raw.
"""

from pathlib import Path
from typing import Any

import pydantic

from stages.running import command, given, outputs, paramfile, plugins
from stages.sources import published, raw


class Params(paramfile.Section):
    """Parameters: which dataset, and from where. `dataset` is a name and that dataset's options."""

    dataset: dict[str, Any]
    source: published.Source
    archive: str

    @pydantic.field_validator("archive", mode="before")
    @classmethod
    def _place(cls, archive: object) -> object:
        if not archive:
            raise ValueError(f"expected a file or folder, received {archive!r}; write data/archive to fetch")
        return archive

    @pydantic.field_validator("dataset", mode="before")
    @classmethod
    def _with_a_name(cls, dataset: object) -> object:
        if isinstance(dataset, str):
            builder = dataset.removeprefix("tfds:")
            meant = f"name: {dataset}" if builder == dataset else f"name: tfds, builder: {builder}"
            raise ValueError(f"expected a name and options, received {dataset!r}; write {{{meant}}}")
        return dataset


def download(params: Params, folder: Path) -> None:
    """Write the published files and a manifest of their checksums to a folder.

    A dataset's module either says where its files are published (see `published`), or has a function
    `fetch(options, source, archive, folder)` that writes them and returns the manifest.

    Raises:
        errors.BadInput: an unknown dataset or option, or what arrived is not what was published.
        errors.Unreachable: no source could be reached.
    """
    name, dataset, options = plugins.choose("datasets", params.dataset, "download.dataset")
    archive = given.content(given.path(params.archive, "download.archive"))
    with outputs.folder(folder) as partial:
        if hasattr(dataset, "fetch"):
            manifest = dataset.fetch(options, params.source, archive, partial)
        else:
            published.fetch(name, dataset, params.source, archive, partial)
            manifest = raw.Manifest(dataset=name, files=dataset.FILES, plugin=name)
        raw.write(partial, manifest)


if __name__ == "__main__":
    command.run(download, Params)
