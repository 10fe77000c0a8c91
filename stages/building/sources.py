"""Where the images of encoded records come from. A source can be pickled, and opened in another process."""

import functools
import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from stages.decoding import picture, resizing
from stages.inputs import arrays
from stages.running import errors, outputs, plugins
from stages.sources import raw
from stages.splits import joined


class Stored(NamedTuple):
    """The pixels of a split's arrays."""

    file: Path
    stamp: tuple[int, int]  # of the file, which is another where it is written anew
    shape: tuple[int, ...]  # (N, H, W, C)
    places: np.ndarray  # int64 [n]

    def take(self, places: np.ndarray) -> "Stored":
        """Return the source of some of the images, int [n]."""
        return self._replace(places=self.places[places])

    def image(self, place: int) -> np.ndarray:
        """Read an image: uint8 [H, W, C]."""
        return _opened(self.file, self.stamp, self.shape)[self.places[place : place + 1]][0]


class Listed(NamedTuple):
    """Pictures that are decoded when they are asked for."""

    pictures: Any  # with methods `decode` and `take`
    colours: picture.Colours
    shape: tuple[int, ...]  # (H, W, C) that images get
    policy: resizing.Policy

    def take(self, places: np.ndarray) -> "Listed":
        """Return the source of some of the images, int [n]."""
        return self._replace(pictures=self.pictures.take(places))

    def whole(self, place: int) -> np.ndarray:
        """Decode a picture in its own size: uint8 [H, W, C].

        Raises:
            errors.BadInput: it is not the picture that was downloaded, or has another number of channels.
        """
        found = self.pictures.decode(place, self.colours)
        if found.shape[-1] != self.shape[-1]:
            raise errors.BadInput(
                f"expected images of one number of channels, found {self.shape[-1]} and {found.shape[-1]};"
                " set subset.channels to 3, or to 1 for grey"
            )
        return found

    def shaped(self, whole: np.ndarray) -> np.ndarray:
        """Bring a picture to the images' shape, as the subset stage does."""
        return resizing.resize(whole, self.shape[:2], self.policy, self.colours.background)

    def image(self, place: int) -> np.ndarray:
        """Decode an image as the subset stage does: uint8 [H, W, C]; raises what `whole` does."""
        return self.shaped(self.whole(place))


Source = Stored | Listed


@functools.lru_cache(maxsize=4)
def _opened(file: Path, stamp: tuple[int, int], shape: tuple[int, ...]) -> arrays.Images:
    return arrays.Images(file, shape)


def of(chosen: arrays.Chosen, folder: Path, raw_files: Path) -> Source:
    """Return the source of a split's images.

    Args:
        chosen: The split.
        folder: Its folder.
        raw_files: The folder of the download stage, which is read if pictures are only listed.

    Raises:
        errors.BadInput: see `raw.read` and the dataset's `read`.
    """
    stated = chosen.manifest
    if stated.listed is None:
        shape = (stated.count, *stated.image_shape)
        file = (folder / arrays.IMAGES).absolute()
        status = file.stat()
        return Stored(file, (status.st_ino, status.st_mtime_ns), shape, np.arange(stated.count))
    if stated.form is None:
        raise errors.BadInput(f"{folder}: expected the form of listed pictures; rerun the subset stage")
    plugin = plugins.load("datasets", raw.read(raw_files).plugin)
    _, published = plugin.read(raw_files)
    pictures = joined.join([published[name][0] for name in stated.listed.published])
    red, green, blue = bytes.fromhex(stated.form.background.removeprefix("#"))
    colours = picture.Colours(stated.listed.channels, (red, green, blue))
    policy: Any = stated.form.resize
    return Listed(pictures.take(chosen.positions), colours, tuple(stated.image_shape), policy)


def identity(chosen: arrays.Chosen, folder: Path, raw_files: Path) -> list[Any]:
    """Return what tells a split's images from others, as JSON values."""
    digest = hashlib.blake2b(digest_size=16)
    for values in (chosen.labels, chosen.positions):
        digest.update(np.ascontiguousarray(values).tobytes())
    facts: list[Any] = [chosen.manifest.model_dump(), digest.hexdigest()]
    if chosen.manifest.listed is None:
        status = (folder / arrays.IMAGES).stat()
        return [*facts, status.st_size, status.st_mtime_ns]
    return [*facts, outputs.read(raw.Manifest, raw_files / raw.FILE).model_dump()]
