"""How a stage ends that cannot go on: each error is one message for the user, and no traceback."""

import difflib
import re
from collections.abc import Iterable, Sequence

from stages.running import ellipsis

LONGEST_NAME = 100  # characters of a name in a message
MOST_CHARACTERS = 4_000  # of a message; the middle of a longer one is left out
_CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")  # all but the line feed


class StageError(Exception):
    """A stage cannot go on, and the message says why.

    As text it is of bounded length, and what a terminal would obey in a name that it quotes is spelt out.
    """

    def __str__(self) -> str:
        return ellipsis.cut(_CONTROLS.sub(_spelt_out, super().__str__()), MOST_CHARACTERS)


class BadInput(StageError, ValueError):
    """A parameter, file or download is wrong; the message says what was expected and received."""


class Unreachable(StageError):
    """A server or registry does not answer, or does not have the file."""


class WorkerLost(StageError):
    """Another worker of a training on several machines has ended or is out of reach."""


class Diverged(StageError):
    """The training's loss or weights are no longer finite."""


class BelowFloor(StageError):
    """The model's accuracy is below the one that was asked for."""


def unknown(kind: str, received: str, expected: Iterable[str]) -> BadInput:
    """Return the error for a name that is not among `expected`; it suggests the nearest one."""
    names, received = [_in_a_line(name) for name in expected], _in_a_line(str(received))
    near = difflib.get_close_matches(received, names, n=1, cutoff=0.5)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    choices = ", ".join(names) if len(names) <= 30 else f"{len(names)} known names"
    return BadInput(f"unknown {kind} '{received}'; expected one of: {choices}.{hint}")


def too_small(model: str, smallest: int, image_shape: Sequence[int], remedy: str) -> BadInput:
    """Return an error that says how large images (H, W, C) must be for a model, and what else would help."""
    height, width, _ = image_shape
    return BadInput(
        f"{model} expects images of at least {smallest}x{smallest} pixels, received {height}x{width};"
        f" {remedy} or enlarge the images with subset.image_size"
    )


def _in_a_line(name: str) -> str:
    return ellipsis.cut(name.replace("\n", "\\n"), LONGEST_NAME)


def _spelt_out(control: re.Match[str]) -> str:
    return control.group().encode("unicode_escape").decode()
