"""How often an image is in a view of the training split: once, or more often if its class is small.

Every image of a class is repeated equally often, or once more than others of it. Which ones these are changes
from view to view.
"""

from typing import Annotated, Literal

import numpy as np
import pydantic

MOST = 10_000  # times that an image is repeated


def _checked(value: object) -> object:
    if value in ("none", "equal") or (type(value) is int and 2 <= value <= MOST):
        return value
    raise ValueError(f"expected none, equal, or a whole number of 2 to {MOST:,}, received {value!r}")


Wanted = Annotated[Literal["none", "equal"] | int, pydantic.PlainValidator(_checked)]


def class_images_in_view(wanted: Wanted, class_images: np.ndarray) -> np.ndarray:
    """Return the number of images of each class in a view, int64 [K].

    Args:
        wanted: "equal" makes all classes as large as the largest; a number does so, but with each image at
            most so often; "none" repeats none.
        class_images: The number of different images of each class, int64 [K].
    """
    if wanted == "none":
        return class_images
    largest = int(class_images.max(initial=0))
    return np.minimum(class_images * (wanted if isinstance(wanted, int) else largest), largest)


def repeated(labels: np.ndarray, in_view: np.ndarray, seed: int, view: int) -> tuple[np.ndarray, np.ndarray]:
    """List what is in a view, in the order of the images.

    Args:
        labels: The label of each image, int64 [N].
        in_view: See `class_images_in_view`.
        seed: The seed of the images that are there once more than others of their class.
        view: The number of the view, from 0.

    Returns:
        The image, in 0..N-1, and the number of its copy, from 0: int64 [sum of `in_view`] each.
    """
    class_images = np.bincount(labels, minlength=len(in_view))
    by_class = np.split(np.argsort(labels, kind="stable"), np.cumsum(class_images)[:-1])
    times = np.empty(len(labels), np.int64)
    for label, of_class in enumerate(by_class):
        images = len(of_class)
        whole, more = divmod(int(in_view[label]), max(images, 1))
        turn = np.random.default_rng([seed, label, 1]).permutation(images)
        turn = (turn + view * more) % max(images, 1)  # so that, over the views, all have their turn
        times[of_class] = whole + (turn < more)
    places = np.repeat(np.arange(len(labels)), times)
    first = np.repeat(np.cumsum(times) - times, times)
    return places, np.arange(len(places)) - first
