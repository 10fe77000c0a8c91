"""Fetch a file of pretrained weights from where it was published, once."""

import tempfile
from pathlib import Path

import h5py
import requests

from stages.running import errors, progress
from stages.sources import cache, checksums, origin

STALL_SECONDS = 12.0  # without a new byte, after which the server is given up
BLOCK = 1 << 20  # bytes
LARGEST = 1 << 30  # bytes of a file whose server does not say how large it is


def fetch(url: str, md5: str | None) -> Path:
    """The published file in the cache, fetched if it is not there, and verified on every use.

    A server that is out of reach is noticed in seconds: Keras's own download waits without bound.

    Args:
        url: Its last part is the file's name.
        md5: The checksum that its publisher gives. If there is none, the file must be one of Keras's
            weights, and its SHA-256 is kept beside it: later it must be the same.

    Raises:
        errors.BadInput: no connection, or what arrived is not what was published.
    """
    cached = cache.folder() / "pretrained" / url.rsplit("/", 1)[1]
    noted = cached.with_name(cached.name + ".sha256")
    expected = md5 or (noted.read_text().strip() if noted.is_file() else None)
    if expected and checksums.fits(cached, expected):
        return cached
    origin.probe(url)
    place = cache.made("pretrained")
    # The scratch folder has a name of its own, since other checkouts share the cache.
    with tempfile.TemporaryDirectory(dir=place, prefix="fetching-") as scratch:
        fresh = Path(scratch) / cached.name
        _download(url, fresh)
        if expected:
            checksums.require(fresh, expected, url)
        else:
            _require_weights(fresh, url)
            noted.write_text(checksums.of_file(fresh, "sha256") + "\n")
        fresh.replace(cached)
    return cached


def _require_weights(path: Path, url: str) -> None:
    """Open the file as Keras's weights in HDF5: a page that says "try again later" is none."""
    try:
        with h5py.File(path) as file:
            named = len(file.attrs.get("layer_names", ())) or len(file)
    except OSError as error:
        raise errors.BadInput(f"{url}: expected weights in HDF5, received another file: {error}") from error
    if not named:
        raise errors.BadInput(f"{url}: expected weights of Keras, received an HDF5 file without layers")


def _download(url: str, path: Path) -> None:
    try:
        with requests.get(url, stream=True, timeout=STALL_SECONDS) as response, path.open("wb") as file:
            response.raise_for_status()
            announced = response.headers.get("Content-Length", "")
            size = int(announced) if announced.isdecimal() else 0
            with progress.bar(size, path.name, "B", divisor=1024) as bar:
                for block in response.iter_content(BLOCK):
                    if file.tell() + len(block) > (size or LARGEST):
                        most = f"{size or LARGEST:,}"
                        raise errors.BadInput(f"{url}: received more than the {most} bytes expected")
                    file.write(block)
                    bar.update(len(block))
    except requests.RequestException as error:
        raise errors.BadInput(f"{url}: the download broke off: {error}") from error
