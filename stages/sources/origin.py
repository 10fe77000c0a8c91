"""Fetch files from where they were published."""

import queue
import threading
import time
from pathlib import Path
from typing import Any

import pooch
import requests

from stages.running import errors, progress

PROBE_SECONDS = 3.0  # to connect, and again for the first byte
PROBE_DEADLINE = 6.0  # seconds for the whole probe: nothing else limits the wait for a name server
STALL_SECONDS = 12.0  # without a new byte, after which a download is given up
BLOCK = 1 << 20  # bytes
LARGEST = 1 << 30  # bytes of a file whose server does not say how large it is
SLOW_BYTES_PER_SECOND = 250_000  # below this rate CIFAR-10 takes over 11 minutes

pooch.get_logger().setLevel("WARNING")


def probe(url: str) -> float:
    """Ask a URL for its first megabyte and return the rate in bytes per second.

    It takes seconds to learn whether a server answers; tensorflow-datasets would retry for minutes.

    Raises:
        errors.Unreachable: no answer in time, or an answer that is not the file.
    """
    answers: queue.SimpleQueue[float | errors.Unreachable] = queue.SimpleQueue()
    threading.Thread(target=lambda: answers.put(_measure(url)), daemon=True).start()
    try:
        answer = answers.get(timeout=PROBE_DEADLINE)
    except queue.Empty:
        raise errors.Unreachable(f"{url}: no answer within {PROBE_DEADLINE:.0f} s") from None
    if isinstance(answer, errors.Unreachable):
        raise answer
    return answer


def _measure(url: str) -> float | errors.Unreachable:
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
        return errors.Unreachable(f"{url}: {_reason(error)}")
    seconds = time.monotonic() - started
    # A file smaller than the sample says nothing about the rate; it is fetched fast enough anyway.
    return received / seconds if received >= 1 << 20 or seconds > PROBE_SECONDS else float("inf")


def _reason(error: requests.RequestException) -> str:
    if isinstance(error, requests.HTTPError):
        return f"the server answered {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout) or "timed out" in str(error):
        return f"no answer within {PROBE_SECONDS:.0f} s"
    if "NameResolutionError" in str(error):
        return "the host's name could not be resolved"
    return f"no connection: {error}"


def download(url: str, folder: Path, known: str | None = None) -> Path:
    """Download a file, unless it is in the folder already.

    Args:
        url: Its last part is the file's name.
        folder: Where the file goes, whole or not at all.
        known: Its checksum, such as md5:d41d8cd98f00b204e9800998ecf8427e; None takes any file.

    Raises:
        errors.Unreachable: the download failed.
        errors.BadInput: the file is larger than announced, or has another checksum.
    """
    name = file_name(url)
    try:
        return Path(pooch.retrieve(url, known, name, folder, downloader=_stream))
    except errors.BadInput:
        raise
    except ValueError as error:  # how pooch says that a checksum does not fit; it has deleted the file
        expected = str(known).replace(":", " ")
        raise errors.BadInput(
            f"{name} from {url} is corrupt or another version: expected {expected}; {error}"
        ) from error


def file_name(url: str) -> str:
    """The last part of a URL."""
    return url.rsplit("/", 1)[1]


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    return pooch.file_hash(str(path), "sha256")


def _stream(url: str, path: str, _: Any) -> None:
    """Download as pooch asks for it: at most what the server announces, with a bar."""
    try:
        with requests.get(url, stream=True, timeout=STALL_SECONDS) as response, open(path, "wb") as file:
            response.raise_for_status()
            announced = response.headers.get("Content-Length", "")
            size = int(announced) if announced.isdecimal() else 0
            with progress.bar(size, file_name(url), "B", divisor=1024) as bar:
                for block in response.iter_content(BLOCK):
                    if file.tell() + len(block) > (size or LARGEST):
                        largest = f"{size or LARGEST:,}"
                        raise errors.BadInput(f"{url}: received more than the {largest} bytes expected")
                    file.write(block)
                    bar.update(len(block))
    except requests.HTTPError as error:
        raise errors.Unreachable(f"{url}: {_reason(error)}") from error
    except requests.RequestException as error:
        raise errors.Unreachable(f"{url}: the download broke off: {error}") from error
