"""A table in plain text for a terminal."""

from collections.abc import Sequence

import tabulate


def render(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Align columns: the first column is flush left, the others flush right."""
    sides = ["left", *["right"] * (len(head) - 1)]
    return tabulate.tabulate(rows, head, "simple", colalign=sides if rows else None, disable_numparse=True)
