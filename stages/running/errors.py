"""How a stage ends that cannot go on: each error is one message for the user, and no traceback."""

import difflib
from collections.abc import Iterable, Sequence

from stages.running import ellipsis

LONGEST_NAME = 100  # characters of a name in a message


class StageError(Exception):
    """A stage cannot go on, and the message says why."""


class BadInput(StageError, ValueError):
    """A parameter, file or download is wrong; the message says what was expected and received."""


class Unreachable(StageError):
    """A server or registry does not answer, or does not have the file."""


class Diverged(StageError):
    """The training's loss or weights are no longer finite."""


class BelowFloor(StageError):
    """The model's accuracy is below the one that was asked for."""


def unknown(kind: str, received: str, expected: Iterable[str]) -> BadInput:
    """Return the error for a name that is not among `expected`; it suggests the nearest one."""
    names = [ellipsis.cut(name, LONGEST_NAME) for name in expected]
    received = ellipsis.cut(str(received), LONGEST_NAME)
    near = difflib.get_close_matches(received, names, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    choices = ", ".join(names) if len(names) <= 30 else f"{len(names)} known names"
    return BadInput(f"unknown {kind} {received!r}; expected one of: {choices}.{hint}")


def too_small(model: str, smallest: int, image_shape: Sequence[int], remedy: str) -> BadInput:
    """Return an error that says how large images (H, W, C) must be for a model, and what else would help."""
    height, width, _ = image_shape
    return BadInput(
        f"{model} expects images of at least {smallest}x{smallest} pixels, received {height}x{width};"
        f" {remedy} or enlarge the images with subset.image_size"
    )
