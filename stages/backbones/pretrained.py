"""Fetch a file of pretrained weights once, from where it was published."""

from pathlib import Path

import h5py

from stages.running import errors
from stages.sources import cache, checksums, origin


def fetch(url: str, md5: str | None) -> Path:
    """Return the path of a published file in the cache; it is fetched if missing, and verified on every use.

    Args:
        url: The URL, whose last part is the file's name.
        md5: The checksum that the publisher gives. If it is None, the file must hold weights of Keras, and
            its SHA-256 is kept beside it: on later uses it must be the same.

    Raises:
        errors.BadInput: there is no connection, or the file that arrived is not the published one.
    """
    name, place = origin.file_name(url), cache.folder() / "pretrained"
    if not (place / name).is_file():
        cache.made("pretrained")
    noted = place / f"{name}.sha256"
    known = md5 or (noted.read_text().strip() if noted.is_file() else None)
    path = origin.download(origin.File(url, checksum=known), place)
    if known is None:
        _require_weights(path, url)
        noted.write_text(checksums.of_file(path, "sha256") + "\n")
    return path


def _require_weights(path: Path, url: str) -> None:
    """Check that a file holds Keras's weights in HDF5, else remove it: it may be a page "try again later"."""
    try:
        with h5py.File(path) as file:
            named = len(file.attrs.get("layer_names", ())) or len(file)
    except OSError as error:
        path.unlink()
        raise errors.BadInput(f"{url}: expected weights in HDF5, received another file: {error}") from error
    if not named:
        path.unlink()
        raise errors.BadInput(f"{url}: expected weights of Keras, received an HDF5 file without layers")
