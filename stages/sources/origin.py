"""Fetch published data from where it was published, through tensorflow-datasets."""

import queue
import sys
import threading
import time
from pathlib import Path

import requests

from stages.running import errors

PROBE_SECONDS = 3.0  # to connect, and again for the first byte
PROBE_DEADLINE = 6.0  # seconds for all of it: a name server's silence knows no other bound
SLOW_BYTES_PER_SECOND = 250_000  # below it CIFAR-10 takes over 11 minutes


def probe(url: str) -> float:
    """Ask a URL for its first megabyte and return the rate in bytes per second.

    Whether a server answers must be known in seconds: tensorflow-datasets retries for minutes.

    Raises:
        errors.BadInput: no answer in time, or an answer that is not the file.
    """
    answers: queue.SimpleQueue[float | errors.BadInput] = queue.SimpleQueue()
    threading.Thread(target=lambda: answers.put(_measure(url)), daemon=True).start()
    try:
        answer = answers.get(timeout=PROBE_DEADLINE)
    except queue.Empty:
        raise errors.BadInput(f"{url}: no answer within {PROBE_DEADLINE:.0f} s") from None
    if isinstance(answer, errors.BadInput):
        raise answer
    return answer


def _measure(url: str) -> float | errors.BadInput:
    received, started = 0, time.monotonic()
    try:
        with requests.get(url, stream=True, timeout=PROBE_SECONDS) as response:
            response.raise_for_status()
            started = time.monotonic()
            for block in response.iter_content(1 << 14):
                received += len(block)
                if received >= 1 << 20 or time.monotonic() - started > PROBE_SECONDS:
                    break
    except requests.RequestException as error:
        return errors.BadInput(f"{url}: {_reason(error)}")
    seconds = time.monotonic() - started
    # A file smaller than the sample says nothing about the rate; it is fetched soon enough.
    return received / seconds if received >= 1 << 20 or seconds > PROBE_SECONDS else float("inf")


def _reason(error: requests.RequestException) -> str:
    if isinstance(error, requests.HTTPError):
        return f"the server answered {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout) or "timed out" in str(error):
        return f"no answer within {PROBE_SECONDS:.0f} s"
    if "NameResolutionError" in str(error):
        return "the host's name could not be resolved"
    return f"no connection: {error}"


def fetch(dataset: str, urls: list[str], folder: Path) -> dict[str, Path]:
    """Download URLs of a TFDS dataset, checked against the checksums TFDS has registered.

    Returns:
        The downloaded files by the last part of their URL.

    Raises:
        errors.BadInput: a download failed or does not match its checksum.
    """
    import tensorflow_datasets as tfds  # 0.3 s, for nothing when the cache is full

    if not sys.stderr.isatty():
        tfds.disable_progress_bar()
    manager = tfds.download.DownloadManager(
        download_dir=folder,
        url_infos=tfds.builder_cls(dataset).url_infos,
        dataset_name=dataset,
        force_checksums_validation=True,
    )
    try:
        paths = manager.download(urls)
    except (
        tfds.download.DownloadError,
        tfds.download.download_manager.NonMatchingChecksumError,
        requests.RequestException,
    ) as error:
        raise errors.BadInput(f"tensorflow-datasets could not fetch {dataset}: {error}") from error
    return {url.rsplit("/", 1)[1]: Path(path) for url, path in zip(urls, paths, strict=True)}
