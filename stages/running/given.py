"""Files and folders that a parameter names."""

from pathlib import Path

from stages.running import ellipsis, errors

SHOWN = 100  # characters of a path and of the reason, in an error


def path(text: str, parameter: str) -> Path:
    """Return the path of the file or folder that a parameter names.

    Args:
        text: The parameter's value: absolute, below the home folder (~), or relative to the repository.
        parameter: The parameter's name, for the error message.

    Raises:
        errors.BadInput: nothing is there, or a device, a pipe or a socket, which might have no end; or the
            text is too long for a path, or names the home of an unknown user.
    """
    try:
        place = Path(text).expanduser()
        is_there = place.is_file() or place.is_dir()
    except (OSError, RuntimeError) as error:  # a name that is too long, or the home of an unknown user
        why = ellipsis.cut(str(error), SHOWN)
        raise errors.BadInput(
            f"{parameter}: expected a file or folder, received {ellipsis.cut(text, SHOWN)!r}: {why}"
        ) from error
    if not is_there:
        found = "something else" if place.exists() else "nothing"
        raise errors.BadInput(
            f"{parameter}: expected a file or folder at {place.absolute()}, found {found}. Experiments of"
            " --queue and --temp run in a copy of what Git tracks: give an absolute path, or `git add` it"
        )
    return place


def content(place: Path) -> Path | None:
    """Return the content that a user has put at a place.

    Returns:
        The place itself if it is a file, or a folder of several entries; the entry of a folder that has only
        one; None if a folder has only hidden files, such as a .gitignore, or none.
    """
    if not place.is_dir():
        return place
    visible = [entry for entry in place.iterdir() if not entry.name.startswith(".")]
    return None if not visible else visible[0] if len(visible) == 1 else place
