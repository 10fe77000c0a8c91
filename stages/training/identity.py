"""Name a training by everything that it depends on."""

import hashlib
import json
from pathlib import Path
from typing import Any

from stages.running import code
from stages.sources import checksums


def key(*facts: Any) -> str:
    """Return the name of a training: a digest of facts, JSON values each, and of this project's code.

    The code is that of all modules that are imported, see `code.digest`.
    """
    content = json.dumps([*facts, code.digest()], sort_keys=True).encode()
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def shared(settings: Any, records: Any, weights: list[str], versions: Any) -> dict[str, Any]:
    """Return what all workers of a training must have alike, by name, for `team.Team.require_alike`."""
    facts = {"parameters": settings, "records": records, "weights": weights, "code": key()}
    return {**facts, "precision or versions": versions}


def of_weights(place: Path | None) -> list[str]:
    """Return the digests of the files of weights that a training starts from."""
    if place is None:
        return []
    files = sorted(path for path in place.rglob("*") if path.is_file()) if place.is_dir() else [place]
    return [checksums.of_file(path, "sha256") for path in files]
