"""The code that a process has imported of this project."""

import hashlib
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[1]


def digest() -> str:
    """Return a digest of all modules of the project that are imported, 32 hexadecimal digits."""
    found = hashlib.blake2b(digest_size=16)
    files = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    for path in sorted(Path(file) for file in files if file and Path(file).is_relative_to(PROJECT)):
        found.update(path.relative_to(PROJECT).as_posix().encode() + path.read_bytes())
    return found.hexdigest()
