"""The manifest of data/raw: the dataset's name, and the checksums of its files."""

from pathlib import Path
from typing import Annotated

import pydantic

from stages.running import errors, outputs, paramfile
from stages.sources import checksums

FILE = "manifest.json"


class Manifest(paramfile.Section):
    """The dataset that data/raw holds."""

    dataset: str  # the name in reports
    files: dict[str, Annotated[str, pydantic.Field(pattern=checksums.PATTERN)]]  # by name
    plugin: str  # the file of stages/datasets/ that reads it


def write(folder: Path, manifest: Manifest) -> None:
    """Write the manifest beside the files."""
    outputs.write_json(folder / FILE, manifest.model_dump())


def read(folder: Path) -> Manifest:
    """Read the manifest and check the files beside it.

    Raises:
        errors.BadInput: the manifest is missing, or a file is not the one that was downloaded.
    """
    manifest = outputs.read(Manifest, folder / FILE)
    for name, checksum in manifest.files.items():
        if not checksums.fits(folder / name, checksum):
            raise errors.BadInput(
                f"{folder / name} is not the file that was downloaded; run `dvc checkout`, or rerun the"
                " download stage"
            )
    return manifest
