"""Checksums of files: MD5 or SHA-256, told apart by their length."""

import hashlib
from pathlib import Path

from stages.running import errors

PATTERN = "^([0-9a-f]{32}|[0-9a-f]{64})$"  # of either
ALGORITHMS = {32: "md5", 64: "sha256"}  # by the number of hexadecimal digits


def algorithm(checksum: str) -> str:
    """Return the algorithm that a checksum is made with."""
    return ALGORITHMS[len(checksum)]


def of_file(path: Path, algorithm: str) -> str:
    """Return the checksum of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def fits(path: Path, expected: str) -> bool:
    """True if the file is there and has the checksum."""
    return path.is_file() and of_file(path, algorithm(expected)) == expected


def require(path: Path, expected: str, source: str) -> None:
    """Check that a file has the expected checksum.

    Args:
        path: The file.
        expected: The checksum.
        source: The origin of the file in words, for the error message.

    Raises:
        errors.BadInput: the file has another checksum.
    """
    received = of_file(path, algorithm(expected))
    if received != expected:
        raise errors.BadInput(
            f"{path.name} from {source} is corrupt or another version: expected {algorithm(expected)}"
            f" {expected}, received {received} ({path.stat().st_size:,} bytes)"
        )
