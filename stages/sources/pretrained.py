"""Fetch a file of pretrained weights from where it was published, once."""

from pathlib import Path
from typing import Any

import h5py
import pooch
import requests

from stages.running import errors, progress
from stages.sources import cache

SECONDS = (3.0, 12.0)  # to connect; without a new byte, after which the server is given up
BLOCK = 1 << 20  # bytes
LARGEST = 1 << 30  # bytes of a file whose server does not say how large it is

pooch.get_logger().setLevel("WARNING")


def fetch(url: str, md5: str | None) -> Path:
    """Give the published file in the cache, fetched if it is not there, and verified on every use.

    Args:
        url: Its last part is the file's name.
        md5: The checksum that its publisher gives. If there is none, the file must be one of Keras's
            weights, and its SHA-256 is kept beside it: later it must be the same.

    Raises:
        errors.BadInput: no connection, or what arrived is not what was published.
    """
    name, place = url.rsplit("/", 1)[1], cache.folder() / "pretrained"
    if not (place / name).is_file():
        cache.made("pretrained")
    noted = place / f"{name}.sha256"
    known = f"md5:{md5}" if md5 else f"sha256:{noted.read_text().strip()}" if noted.is_file() else None
    try:
        path = Path(pooch.retrieve(url, known, name, place, downloader=_download))
    except errors.BadInput:
        raise
    except ValueError as error:  # how pooch says that a checksum does not fit; it has deleted the file
        expected = str(known).replace(":", " ")
        raise errors.BadInput(
            f"{name} from {url} is corrupt or another version: expected {expected}; {error}"
        ) from error
    if known is None:
        _require_weights(path, url)
        noted.write_text(pooch.file_hash(str(path), "sha256") + "\n")
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


def _download(url: str, path: str, _: Any) -> None:
    """Download as pooch asks for it: at most what the server announces, with a bar."""
    try:
        with requests.get(url, stream=True, timeout=SECONDS) as response, open(path, "wb") as file:
            response.raise_for_status()
            announced = response.headers.get("Content-Length", "")
            size = int(announced) if announced.isdecimal() else 0
            with progress.bar(size, url.rsplit("/", 1)[1], "B", divisor=1024) as bar:
                for block in response.iter_content(BLOCK):
                    if file.tell() + len(block) > (size or LARGEST):
                        most = f"{size or LARGEST:,}"
                        raise errors.BadInput(f"{url}: received more than the {most} bytes expected")
                    file.write(block)
                    bar.update(len(block))
    except requests.HTTPError as error:
        answer = f"{error.response.status_code} {error.response.reason}"
        raise errors.BadInput(f"{url}: the server answered {answer}") from error
    except requests.RequestException as error:
        raise errors.BadInput(f"{url}: the download broke off: {error}") from error
