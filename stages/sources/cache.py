"""Where fetched bytes outlive the stage that fetched them."""

import os
from pathlib import Path

import platformdirs


def folder() -> Path:
    """$IMAGE_PIPELINE_CACHE, or a folder of its own in the user's cache folder."""
    default = platformdirs.user_cache_path("image-classification-pipeline")
    return Path(os.environ.get("IMAGE_PIPELINE_CACHE") or default)
