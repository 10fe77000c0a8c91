"""The names of a split's images: the paths of own pictures, by position; published images have none."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pydantic

from stages.running import errors, outputs

FILE = "names.json"
LARGEST = 1 << 30  # bytes: the paths of ten million pictures


class _Names(pydantic.RootModel[dict[str, str]]):
    """The paths by position."""


def write(folder: Path, positions: np.ndarray, paths: Sequence[str] | np.ndarray) -> None:
    """Write the paths of N pictures into the folder of their split.

    Args:
        folder: The folder.
        positions: int [N].
        paths: N paths, below the place of the pictures.
    """
    lines = (
        f'\n  "{positions[place]}": {json.dumps(paths[place], ensure_ascii=False)}'
        for place in np.argsort(positions.astype(bytes)).tolist()  # the order of text, as in all JSON
    )
    with (
        outputs.file(folder / FILE) as partial,
        partial.open("w", encoding="utf-8", errors="backslashreplace") as file,
    ):
        file.write("{" + next(lines, ""))
        file.writelines("," + line for line in lines)
        file.write("\n}\n" if len(positions) else "}\n")


def copy(source: Path, target: Path) -> None:
    """Copy the names from one folder of a split to another, if it has any."""
    if (source / FILE).is_file():
        shutil.copyfile(source / FILE, target / FILE)


def read(folder: Path, positions: np.ndarray) -> np.ndarray | None:
    """Read the paths of pictures at some positions, int [n], as str [n]; None if the images have no names.

    What is not UTF-8 in a path has an escape, such as \\udce9, so that the paths can be written.

    Raises:
        errors.BadInput: a picture has no name.
    """
    if not (folder / FILE).is_file():
        return None
    named = outputs.read(_Names, folder / FILE, LARGEST).root
    try:
        paths = [named[str(position)] for position in positions.tolist()]
    except KeyError as error:
        raise errors.BadInput(
            f"{folder / FILE}: expected a name for picture {error}, found none; rerun the records stage"
        ) from error
    return np.array([path.encode("utf-8", "backslashreplace").decode() for path in paths], object)
