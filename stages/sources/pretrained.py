"""Fetch a file of pretrained weights from where it was published, once."""

import hashlib
import tempfile
from pathlib import Path

import requests

from stages.running import errors, progress
from stages.sources import cache, origin

STALL_SECONDS = 12.0  # without a new byte, after which the server is given up
BLOCK = 1 << 20  # bytes


def fetch(url: str, md5: str | None) -> Path:
    """The published file in the cache, fetched if it is not there, and verified against its checksum.

    A server that is out of reach is noticed in seconds: Keras's own download waits without bound.

    Args:
        url: Its last part is the file's name.
        md5: The checksum that its publisher gives; None if there is none.

    Raises:
        errors.BadInput: no connection, or what arrived is not what was published.
    """
    cached = cache.folder() / "pretrained" / url.rsplit("/", 1)[1]
    if cached.is_file() and md5 in (None, _md5(cached)):
        return cached
    origin.probe(url)
    cached.parent.mkdir(parents=True, exist_ok=True)
    # The scratch folder has a name of its own, since other checkouts share the cache.
    with tempfile.TemporaryDirectory(dir=cached.parent, prefix="fetching-") as scratch:
        fresh = Path(scratch) / cached.name
        _download(url, fresh)
        if md5 not in (None, received := _md5(fresh)):
            raise errors.BadInput(
                f"{url} is corrupt or another version: expected md5 {md5}, received {received}"
            )
        fresh.replace(cached)
    return cached


def _download(url: str, path: Path) -> None:
    try:
        with requests.get(url, stream=True, timeout=STALL_SECONDS) as response, path.open("wb") as file:
            response.raise_for_status()
            size = int(response.headers.get("Content-Length", 0))
            with progress.bar(size, path.name, "B", divisor=1024) as bar:
                for block in response.iter_content(BLOCK):
                    file.write(block)
                    bar.update(len(block))
    except requests.RequestException as error:
        raise errors.BadInput(f"{url}: the download broke off: {error}") from error


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()
