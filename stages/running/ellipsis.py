"""Shorten text of any length to the room that there is for it."""

from collections.abc import Sequence

SHOWN = 10  # lines in a message


def cut(text: str, length: int) -> str:
    """Shorten a text to at most `length` characters, 4 or more, by leaving out its middle."""
    if len(text) <= length:
        return text
    return text[: length // 2] + "…" + text[-((length - 1) // 2) :]


def first(lines: Sequence[str]) -> str:
    """Return the first `SHOWN` of some texts, each in a line of its own, and how many more there are."""
    more = [f"and {len(lines) - SHOWN:,} more"] if len(lines) > SHOWN else []
    return "\n".join(f"  {line}" for line in [*lines[:SHOWN], *more])
