"""Fetch a file of pretrained weights from where it was published, once."""

from pathlib import Path

import h5py

from stages.running import errors
from stages.sources import cache, origin


def fetch(url: str, md5: str | None) -> Path:
    """Give the published file in the cache, fetched if it is not there, and verified on every use.

    Args:
        url: Its last part is the file's name.
        md5: The checksum that its publisher gives. If there is none, the file must be one of Keras's
            weights, and its SHA-256 is kept beside it: later it must be the same.

    Raises:
        errors.BadInput: no connection, or what arrived is not what was published.
    """
    name, place = origin.file_name(url), cache.folder() / "pretrained"
    if not (place / name).is_file():
        cache.made("pretrained")
    noted = place / f"{name}.sha256"
    known = f"md5:{md5}" if md5 else f"sha256:{noted.read_text().strip()}" if noted.is_file() else None
    path = origin.download(url, place, known)
    if known is None:
        _require_weights(path, url)
        noted.write_text(origin.sha256(path) + "\n")
    return path


def _require_weights(path: Path, url: str) -> None:
    """Open the file as Keras's weights in HDF5, and remove another: "try again later" is no weights."""
    try:
        with h5py.File(path) as file:
            named = len(file.attrs.get("layer_names", ())) or len(file)
    except OSError as error:
        path.unlink()
        raise errors.BadInput(f"{url}: expected weights in HDF5, received another file: {error}") from error
    if not named:
        path.unlink()
        raise errors.BadInput(f"{url}: expected weights of Keras, received an HDF5 file without layers")
