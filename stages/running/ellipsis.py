"""Text of any length where there is room for so much."""


def cut(text: str, length: int) -> str:
    """Text of at most `length` characters, 4 or more; the middle of a longer one is left out."""
    if len(text) <= length:
        return text
    return text[: length // 2] + "…" + text[-((length - 1) // 2) :]
