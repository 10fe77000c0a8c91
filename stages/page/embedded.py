"""A picture of the reports inside a page."""

import base64
import io

from PIL import Image

from stages.decoding import picture
from stages.review import revision

WIDEST = 1200  # pixels, shown
MOST_PIXELS = 50_000_000  # decoded
QUALITY = 75  # of WebP


def url(files: revision.Revision, path: str) -> str | None:
    """Return a picture as a data URL that is smaller than its file; None if there is no such file.

    Raises:
        errors.BadInput: it is no picture.
    """
    found = files.content(path)
    if found is None:
        return None
    try:
        pixels = picture.decode(found, picture.Colours(3), MOST_PIXELS)
    except picture.Fault as error:
        raise files.fault(path, "a picture", f"{error}; run `dvc repro`") from error
    image = Image.fromarray(pixels)
    image.thumbnail((WIDEST, image.height))
    return f"data:image/webp;base64,{text(image, QUALITY)}"


def text(image: Image.Image, quality: int) -> str:
    """Return an image as WebP in base64; `quality` is in 0..100."""
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=quality)
    return base64.b64encode(buffer.getvalue()).decode()
