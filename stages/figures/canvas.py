"""The basics of all pictures: how they are saved, how an image is drawn and how classes are named."""

import itertools
import unicodedata
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from stages.figures import fonts
from stages.running import ellipsis

LINE = 13  # characters of a file's name; as many of the widest fit below a picture
RIGHT, WRONG = "#1a7f37", "#cf222e"


def save(figure: Figure, path: Path) -> None:
    """Write a figure as a PNG file; equal figures give equal bytes for one version of matplotlib.

    Characters that matplotlib's own font lacks come from the fonts of this machine.
    """
    texts = figure.findobj(Text)
    others = fonts.others("".join(text.get_text() for text in texts))
    for text in texts if others else ():
        text.set_fontfamily([fonts.OWN, *sorted(set(others.values()))])
    figure.savefig(path, format="png", dpi=110, metadata={"Software": None})


def note(text: str) -> Figure:
    """Draw a sentence, for a picture that has nothing else to show."""
    figure = Figure(figsize=(7, 1.5))
    figure.text(0.5, 0.5, plain(text), ha="center", va="center", wrap=True)
    return figure


def names(classes: Sequence[str], length: int) -> list[str]:
    """Return the classes' names as a picture shows them, each of at most `length` characters.

    If two names would look the same, every name begins with its label.
    """
    known = fonts.drawable("".join(classes))
    shown = [ellipsis.cut(_spelt_out(name, known), length) for name in classes]
    if len({_look(text) for text in shown}) < len(shown):
        numbered = (f"{label}: {text}" for label, text in enumerate(shown))
        shown = [ellipsis.cut(text, length) for text in numbered]
    return list(map(_without_formulas, shown))


def plain(text: str) -> str:
    """Return text that matplotlib draws literally, dollar signs included."""
    return _without_formulas(_spelt_out(text, fonts.drawable(text)))


def file_name(path: str) -> str:
    """Return the last part of a path as a picture shows it, in two lines if it is long."""
    name = PurePosixPath(path).name
    name = ellipsis.cut(_spelt_out(name, fonts.drawable(name)), 2 * LINE)
    return _without_formulas(name if len(name) <= LINE else f"{name[:LINE]}\n{name[LINE:]}")


def file_in_folder(path: str) -> str:
    """Return the last part of a path as `file_name` does, below a line with its folder."""
    folder = PurePosixPath(path).parent.name
    return f"{names([folder], LINE - 1)[0]}/\n{file_name(path)}" if folder else file_name(path)


def _spelt_out(text: str, known: set[str]) -> str:
    """Replace characters that no font has by their code points, such as U+732B U+72AC."""
    runs = itertools.groupby(text, key=known.__contains__)
    return " ".join("".join(run) if drawn else " ".join(map(_code_point, run)) for drawn, run in runs)


def _code_point(character: str) -> str:
    return f"U+{ord(character):04X}"


def _look(text: str) -> str:
    """Return a text that is equal for texts that differ only in blanks or in how accents are encoded."""
    return " ".join(unicodedata.normalize("NFKC", text).split())


def _without_formulas(text: str) -> str:
    return text.replace("$", r"\$")


def show(axes: Axes, image: np.ndarray) -> None:
    """Draw one uint8 [H, W, C] image, grey if it has one channel, without ticks."""
    grey: dict[str, Any] = {"cmap": "gray", "vmin": 0, "vmax": 255} if image.shape[-1] == 1 else {}
    axes.imshow(image.squeeze(-1) if grey else image, **grey)
    axes.set(xticks=[], yticks=[])
