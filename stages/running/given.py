"""Files and folders that a parameter names."""

from pathlib import Path

from stages.running import errors


def path(text: str, parameter: str) -> Path:
    """Where a parameter's file or folder is.

    Args:
        text: Its value: absolute, below the home folder (~), or relative to the repository.
        parameter: Its name, for the error.

    Raises:
        errors.BadInput: nothing is there.
    """
    place = Path(text).expanduser()
    if not place.exists():
        raise errors.BadInput(
            f"{parameter}: expected a file or folder at {place.absolute()}, found nothing. Experiments of"
            " --queue and --temp run in a copy of what Git tracks: give an absolute path, or `git add` it"
        )
    return place


def content(place: Path) -> Path | None:
    """What a user has put there: the file, the folder, or the only thing in the folder; None if the folder
    has nothing but hidden files, such as a .gitignore."""
    if not place.is_dir():
        return place
    visible = [entry for entry in place.iterdir() if not entry.name.startswith(".")]
    return None if not visible else visible[0] if len(visible) == 1 else place
