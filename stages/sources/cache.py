"""Where fetched bytes outlive the stage that fetched them."""

import os
from pathlib import Path

import platformdirs

from stages.running import errors

NAME = "IMAGE_PIPELINE_CACHE"  # the environment variable that moves it
REMEDY = f"set {NAME} to a folder that you can write"


def folder() -> Path:
    """$IMAGE_PIPELINE_CACHE, or a folder of its own in the user's cache folder.

    Raises:
        errors.BadInput: there is no home folder to have it in.
    """
    if named := os.environ.get(NAME):
        return Path(named)
    try:
        place = platformdirs.user_cache_path("image-classification-pipeline").expanduser()
    except RuntimeError as error:  # of a user whom the system does not know
        found_none = "expected a home folder for the cache of downloads, found none"
        raise errors.BadInput(f"{found_none}; {REMEDY}") from error
    return place


def made(*parts: str) -> Path:
    """A folder of the cache, made if it is not there.

    Raises:
        errors.BadInput: it cannot be made, or see `folder`.
    """
    place = folder().joinpath(*parts)
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = f"the cache of downloads cannot be made at {place}: {error.strerror}"
        raise errors.BadInput(f"{why}; {REMEDY}") from error
    if not os.access(place, os.W_OK):
        raise errors.BadInput(f"the cache of downloads at {place} cannot be written; {REMEDY}")
    return place
