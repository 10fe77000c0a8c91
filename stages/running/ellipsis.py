"""Shorten text of any length to the room that there is for it."""


def cut(text: str, length: int) -> str:
    """Shorten a text to at most `length` characters, 4 or more, by leaving out its middle."""
    if len(text) <= length:
        return text
    return text[: length // 2] + "…" + text[-((length - 1) // 2) :]
