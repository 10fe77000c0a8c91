"""Markdown for GitHub and GitLab: names that cannot be mistaken for markup, tables that fold."""

import re
from collections.abc import Sequence
from urllib.parse import quote

from stages.running import ellipsis

PLAIN = re.compile(r"[\w./:+,=()%'\[\]{}-]+( [\w./:+,=()%'\[\]{}-]+)*")
OPEN_ROWS = 20  # a longer table is folded
MOST_ROWS = 100  # and cut here
MOST_CHARACTERS = 200  # of a name; the middle of a longer one is left out
MOST_BYTES = 65_000  # of a document: GitHub takes comments of 65,536 characters


def document(parts: Sequence[str]) -> str:
    """Join parts to a document that fits into a comment; parts without room are named at its end."""
    kept, left_out, room = [], [], MOST_BYTES
    for part in filter(None, parts):
        size = len(part.encode()) + len("\n\n")
        if size <= room:
            kept.append(part)
            room -= size
        else:
            left_out.append(part.partition("\n")[0].lstrip("# "))
    if left_out:
        kept.append(f"Left out, too long for a comment: {', '.join(left_out)}.")
    return "\n\n".join(kept)


def name(text: object, length: int = MOST_CHARACTERS) -> str:
    """A name or value as code, character for character, in a sentence, a heading, a list or a table's cell.

    Code keeps # and @ from becoming links. A code span in a table's cell cannot hold every character:
    names that may not fit are written as a code element with character references. The middle of a name
    of more than `length` characters is left out.
    """
    text = ellipsis.cut(str(text), length)
    if PLAIN.fullmatch(text):
        return f"`{text}`"
    return f"<code>{re.sub(r'[^A-Za-z0-9]', _reference, text)}</code>" if text else ""


def table(headers: Sequence[str], rows: Sequence[Sequence[str]], summary: str) -> str:
    """A table; a long one is folded behind its summary."""
    text = cut(headers, rows)
    return fold(f"{summary} ({len(rows):,} rows)", text) if len(rows) > OPEN_ROWS else text


def cut(headers: Sequence[str], rows: Sequence[Sequence[str]], words: int = 1) -> str:
    """A table, cut after 100 rows.

    Args:
        headers: One for each column.
        rows: Cells, already in Markdown.
        words: How many of the first columns are aligned to the left; the others are aligned to the right.
    """
    alignment = [":---"] * words + ["---:"] * (len(headers) - words)
    lines = [headers, alignment, *rows[:MOST_ROWS]]
    text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return text + (f"\n\nand {len(rows) - MOST_ROWS:,} more rows" if len(rows) > MOST_ROWS else "")


def fold(summary: str, text: str) -> str:
    """Text that a reader opens with a click on its summary."""
    return f"<details>\n<summary>{summary}</summary>\n\n{text}\n\n</details>"


def link(text: str, url: str) -> str:
    """Text that leads to an address."""
    return f"[{text}]({_address(url)})"


def picture(description: str, url: str) -> str:
    """A picture by its path or address."""
    return f"![{description}]({_address(url)})"


def value(number: object) -> str:
    """A metric or parameter: a number with four decimals, or with four digits if it is small."""
    if number is None:
        return "none"
    if isinstance(number, float):
        return f"{number:.4g}" if 0 < abs(number) < 0.01 else f"{number:.4f}".rstrip("0").rstrip(".")
    return name(number) if not isinstance(number, int) or isinstance(number, bool) else f"{number:,}"


def percent(share: float, decimals: int = 2) -> str:
    """A share in 0..1, such as "94.10 %"."""
    return f"{share:.{decimals}%}".replace("%", " %")


def percent_with_interval(share: float, low: float, high: float) -> str:
    """A share in 0..1 and its bounds, such as "80.00 % (75.11 to 84.13)"."""
    return f"{percent(share)} ({100 * low:.2f} to {100 * high:.2f})"


def points(change: float) -> str:
    """A change of a share, in percentage points, with its sign."""
    return f"{round(100 * change, 2) + 0.0:+.2f}"


def p_value(p: float) -> str:
    """A p-value with its relation, such as "= 0.012"."""
    return "< 0.0001" if p < 0.0001 else f"= {p:.2g}"


def _address(url: str) -> str:
    return quote(url, safe=":/?#@!$&*+,;=%~")


def _reference(match: re.Match[str]) -> str:
    return f"&#{ord(match.group())};"
