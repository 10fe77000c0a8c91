"""Fetch files from where they were published; a download that broke off goes on where it was."""

import hashlib
import queue
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple

import pydantic
import requests
import urllib3

from stages.running import disk, ellipsis, errors, progress
from stages.sources import cache, checksums

PROBE_SECONDS = 3.0  # to connect, and again for the first byte
PROBE_DEADLINE = 6.0  # seconds for the whole probe: nothing else limits the wait for a name server
STALL_SECONDS = 12.0  # without new bytes, after which a download is given up
STALL_BYTES = 1000  # in so long; fewer are as good as none
BLOCK = 1 << 16  # bytes
LARGEST = 1 << 30  # bytes of a file whose size was not published
SLOW_BYTES_PER_SECOND = 250_000  # below this rate CIFAR-10 takes over 11 minutes
FAILURES = (requests.RequestException, urllib3.exceptions.HTTPError, ValueError)  # the last of odd addresses


class File(NamedTuple):
    """A published file, and what was published of it."""

    url: str  # the last part is the file's name
    size: int | None = None  # bytes
    checksum: str | None = None  # MD5 or SHA-256


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
        with _asked(url, PROBE_SECONDS) as response:
            started = time.monotonic()
            for block in _blocks(response):
                received += len(block)
                if received >= 1 << 20 or time.monotonic() - started > PROBE_SECONDS:
                    break
    except errors.Unreachable as error:
        return error
    seconds = time.monotonic() - started
    # A file smaller than the sample says nothing about the rate; it is fetched fast enough anyway.
    return received / seconds if received >= 1 << 20 or seconds > PROBE_SECONDS else float("inf")


def download(file: File, folder: Path) -> Path:
    """Download a file, unless it is in the folder already, and return its path.

    If its checksum is known, a download that broke off or was killed goes on where it was: what has arrived
    is kept in the cache. The file goes into the folder whole or not at all.

    Raises:
        errors.Unreachable: the server does not answer or does not have the file, or the download broke off.
        errors.BadInput: the file has more bytes or another checksum, or the disk has no room.
    """
    path = folder / file_name(file.url)
    if checksums.fits(path, file.checksum) if file.checksum else path.is_file():
        return path
    with _place(file) as place:
        partial, answer = place / path.name, place / "answer.json"
        try:
            _receive(file, partial, answer)
            if file.checksum:
                checksums.require(partial, file.checksum, file.url)
            shutil.move(partial, path)
        except (errors.BadInput, OSError):
            partial.unlink(missing_ok=True)
            raise
        finally:
            if not partial.is_file():
                answer.unlink(missing_ok=True)
    return path


def file_name(url: str) -> str:
    """The last part of a URL."""
    return url.rsplit("/", 1)[1]


def _place(file: File) -> AbstractContextManager[Path]:
    """Return the folder of a download; it outlives the process if a checksum can tell what is in it."""
    if not file.checksum:
        return cache.scratch()
    return cache.kept("partial", hashlib.sha256(f"{file.url} {file.checksum}".encode()).hexdigest())


class _Answer(pydantic.BaseModel):
    """What a server says of a file, so that two answers with the same file can be told from others."""

    size: int | None
    etag: str | None
    modified: str | None


def _receive(file: File, partial: Path, answer: Path) -> None:
    """Download a file, or only its rest if the server has the same file as when it sent the beginning."""
    begun = partial.stat().st_size if partial.is_file() else 0
    earlier = _read(answer)
    if begun and earlier and earlier.size:
        if begun == earlier.size:
            return
        with _asked(file.url, STALL_SECONDS, {"Range": f"bytes={begun}-"}) as response:
            said = response.headers.get("Content-Range")
            is_rest = (
                response.status_code == 206 and said == f"bytes {begun}-{earlier.size - 1}/{earlier.size}"
            )
            if is_rest and _answer(response, earlier.size) == earlier:
                _append(file, response, partial, earlier.size)
                return
    with _asked(file.url, STALL_SECONDS) as response:
        size = _announced(response)
        if size is not None and size != (file.size or min(size, LARGEST)):
            expected = f"{file.size or LARGEST:,}"
            raise errors.Unreachable(f"{file.url}: the server has {size:,} bytes instead of {expected}")
        partial.unlink(missing_ok=True)
        answer.write_text(_answer(response, size).model_dump_json(), encoding="utf-8")
        _append(file, response, partial, size)


def _append(file: File, response: requests.Response, partial: Path, size: int | None) -> None:
    """Write what a server sends to the end of a file that will have `size` bytes, if the server says it."""
    total = file.size or size or 0
    with partial.open("ab") as received, progress.bar(total, partial.name, "B", divisor=1024) as bar:
        disk.require_space(partial.parent, total - received.tell(), cache.REMEDY)
        bar.update(received.tell())
        for block in _blocks(response):
            if received.tell() + len(block) > (total or LARGEST):
                raise errors.BadInput(
                    f"{file.url}: received more than the {total or LARGEST:,} bytes expected"
                )
            received.write(block)
            bar.update(len(block))
        if received.tell() < total:
            raise errors.Unreachable(
                f"{file.url}: the download ended after {received.tell():,} bytes of {total:,}"
            )


def _answer(response: requests.Response, size: int | None) -> _Answer:
    etag, modified = (response.headers.get(name) for name in ("ETag", "Last-Modified"))
    return _Answer(size=size, etag=etag, modified=modified)


def _read(answer: Path) -> _Answer | None:
    try:
        return _Answer.model_validate_json(answer.read_bytes())
    except (OSError, ValueError):
        return None


def _announced(response: requests.Response) -> int | None:
    """Return the size that a server announces, in bytes."""
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() and len(length) < 20 else None


@contextmanager
def _asked(url: str, timeout: float, headers: dict[str, str] | None = None) -> Iterator[requests.Response]:
    """Ask for a file, or for a range of it, as it is stored.

    Raises:
        errors.Unreachable: there is no answer, or another than the file; or it breaks off in the block.
    """
    wanted, began = {"Accept-Encoding": "identity", **(headers or {})}, False
    try:
        with requests.get(url, stream=True, timeout=timeout, headers=wanted) as response:
            if response.status_code != 200 and not headers:
                status = f"{response.status_code} {response.reason}"
                raise errors.Unreachable(f"{url}: the server answered {ellipsis.cut(status, 100)}")
            began = True
            yield response
    except errors.StageError:
        raise
    except FAILURES as error:
        raise errors.Unreachable(f"{url}: {_reason(error, timeout, began)}") from error


def _blocks(response: requests.Response) -> Iterator[bytes]:
    """Yield the bytes that a server sends, not decoded, as long as they come."""
    counted, since = 0, time.monotonic()
    while block := response.raw.read1(BLOCK, decode_content=False):
        yield block
        counted += len(block)
        if time.monotonic() - since > STALL_SECONDS:
            if counted < STALL_BYTES:
                raise errors.Unreachable(f"{response.url}: {counted} bytes in {STALL_SECONDS:.0f} s")
            counted, since = 0, time.monotonic()


def _reason(error: Exception, timeout: float, began: bool) -> str:
    said = ellipsis.cut(" ".join(str(error).split()), 300)
    if isinstance(error, requests.Timeout) or "timed out" in str(error):
        said = f"no answer within {timeout:.0f} s"
    elif "NameResolutionError" in str(error):
        said = "the host's name could not be resolved"
    elif not began:
        said = f"no connection: {said}"
    return f"the download broke off: {said}" if began else said
