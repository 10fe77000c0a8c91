"""The cache of downloads, in which fetched files outlive the stage that fetched them."""

import os
from pathlib import Path

import platformdirs

from stages.running import errors

NAME = "IMAGE_PIPELINE_CACHE"  # the environment variable that moves the cache
REMEDY = f"set {NAME} to a folder that you can write"


def folder() -> Path:
    """Return the cache's folder: $IMAGE_PIPELINE_CACHE, or a folder for this project in the user's cache.

    Raises:
        errors.BadInput: the user has no home folder for the cache.
    """
    if named := os.environ.get(NAME):
        return Path(named)
    try:
        place = platformdirs.user_cache_path("image-classification-pipeline").expanduser()
    except RuntimeError as error:  # the system does not know the user
        found_none = "expected a home folder for the cache of downloads, found none"
        raise errors.BadInput(f"{found_none}; {REMEDY}") from error
    return place


def made(*parts: str) -> Path:
    """Return a folder of the cache; make it if it is not there.

    Raises:
        errors.BadInput: the folder cannot be made or written, or see `folder`.
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
