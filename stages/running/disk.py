"""What will be written, beside what the disk has room for."""

import shutil
from pathlib import Path

from stages.running import errors

GIB = 2**30  # bytes


def require_space(folder: Path, needed: int, remedy: str) -> None:
    """Refuse to begin what the disk has no room for.

    Args:
        folder: Where it will be written; it need not exist yet.
        needed: Bytes.
        remedy: What makes it less, for the error.

    Raises:
        errors.BadInput: the disk has less room.
    """
    place = next(parent for parent in (folder, *folder.resolve().parents) if parent.exists())
    free = shutil.disk_usage(place).free
    if needed > free:
        room = f"{needed / GIB:,.2f} GiB, but the disk has {free / GIB:,.2f} GiB free"
        raise errors.BadInput(f"{folder} needs {room}; {remedy}")
