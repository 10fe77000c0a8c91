"""Where fetched bytes outlive the stage that fetched them."""

import os
from pathlib import Path

import platformdirs

from stages.running import errors

NAME = "IMAGE_PIPELINE_CACHE"  # the environment variable that moves it


def folder() -> Path:
    """$IMAGE_PIPELINE_CACHE, or a folder of its own in the user's cache folder."""
    default = platformdirs.user_cache_path("image-classification-pipeline")
    return Path(os.environ.get(NAME) or default)


def made(*parts: str) -> Path:
    """A folder of the cache, made if it is not there.

    Raises:
        errors.BadInput: it cannot be made, or there is no home folder to have it in.
    """
    place = folder().joinpath(*parts)
    remedy = f"set {NAME} to a folder that you can write"
    if not folder().is_absolute() and not os.environ.get(NAME):
        raise errors.BadInput(f"expected a home folder for the cache of downloads, found none; {remedy}")
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = f"the cache of downloads cannot be made at {place}: {error.strerror}"
        raise errors.BadInput(f"{why}; {remedy}") from error
    if not os.access(place, os.W_OK):
        raise errors.BadInput(f"the cache of downloads at {place} cannot be written; {remedy}")
    return place
