"""Name a training by everything that it depends on."""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from stages.sources import checksums

PROJECT = Path(__file__).parents[1]  # its code


def key(*facts: Any) -> str:
    """Return the name of a training: a digest of facts, JSON values each, and of this project's code.

    The code is that of all modules of the project that are imported.
    """
    digest = hashlib.blake2b(json.dumps(facts, sort_keys=True).encode(), digest_size=16)
    files = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    for path in sorted(Path(file) for file in files if file and Path(file).is_relative_to(PROJECT)):
        digest.update(path.relative_to(PROJECT).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def of_weights(place: Path | None) -> list[str]:
    """Return the digests of the files of weights that a training starts from."""
    if place is None:
        return []
    files = sorted(path for path in place.rglob("*") if path.is_file()) if place.is_dir() else [place]
    return [checksums.of_file(path, "sha256") for path in files]
