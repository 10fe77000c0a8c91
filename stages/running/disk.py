"""Compare the size of files that will be written with the free space of the disk."""

import shutil
from pathlib import Path

from stages.running import errors

GIB = 2**30  # bytes


def require_space(folder: Path, needed: int, remedy: str, what: str = "") -> None:
    """Check that the disk has room for the files that will be written.

    Args:
        folder: The folder of the files; it need not exist yet.
        needed: The number of bytes that will be written.
        remedy: A way to need less space, for the error message.
        what: What will be written, in words.

    Raises:
        errors.BadInput: the disk has less space.
    """
    place = next(parent for parent in (folder, *folder.resolve().parents) if parent.exists())
    free = shutil.disk_usage(place).free
    if needed > free:
        room = f"{needed / GIB:,.2f} GiB, but the disk has {free / GIB:,.2f} GiB free"
        raise errors.BadInput(f"{folder} needs {room}{f' for {what}' if what else ''}; {remedy}")
