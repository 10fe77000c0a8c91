"""Where a model comes from: digests of its file, and the commit that it was found at."""

import hashlib
import subprocess
from pathlib import Path

from stages.running import paramfile


class Source(paramfile.Section):
    """The origin of an exported model."""

    commit: str | None  # of the folder, with "-dirty" if files of Git differ from it; None outside of Git
    md5: str  # of model.keras; DVC's cache and remotes know the file by it
    sha256: str  # of model.keras


def of(file: Path) -> Source:
    """Return the origin of a model's file."""
    with file.open("rb") as content:
        md5 = hashlib.file_digest(content, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    with file.open("rb") as content:
        sha256 = hashlib.file_digest(content, "sha256").hexdigest()
    return Source(commit=_commit(file.parent), md5=md5, sha256=sha256)


def _commit(folder: Path) -> str | None:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    except FileNotFoundError:  # no Git on this machine
        return None
    return done.stdout.strip() if done.returncode == 0 else None
