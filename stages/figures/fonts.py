"""Find installed fonts for the characters that matplotlib's own font lacks.

matplotlib brings DejaVu Sans, which has the alphabets of Europe, Arabic and Hebrew, but no Chinese,
Japanese, Korean or Indic characters. Text in this font looks the same on every machine.
"""

import functools

from matplotlib import font_manager, ft2font

OWN = "DejaVu Sans"
BOXES = "Last Resort High-Efficiency"  # a font of matplotlib that has a box for every character
REGULAR = 400  # weight


@functools.lru_cache(maxsize=16)  # texts; a search opens hundreds of files if many fonts are installed
def others(text: str) -> dict[str, str]:
    """Return a font for each printable character of a text that is not in DejaVu Sans, if any font has it."""
    missing = {character for character in text if character.isprintable()} - _own()
    found: dict[str, str] = {}
    for name, path, index in _installed() if missing else ():
        of_font = missing & _characters(path, index)
        found |= dict.fromkeys(sorted(of_font), name)
        missing -= of_font
        if not missing:
            break
    return found


def drawable(text: str) -> set[str]:
    """Return the characters of a text that a picture can show."""
    return {character for character in text if character.isprintable()} & _own() | others(text).keys()


@functools.cache
def _own() -> frozenset[str]:
    return _characters(str(font_manager.findfont(OWN)), 0)


def _installed() -> list[tuple[str, str, int]]:
    """Return (family, file, index in the file) of the installed fonts, always in the same order."""
    return sorted(
        (font.name, font.fname, font.index)
        for font in font_manager.fontManager.ttflist
        if font.style == "normal" and font.weight == REGULAR and font.name != BOXES
    )


def _characters(path: str, index: int) -> frozenset[str]:
    """Return the characters of a font; none if the file is gone or damaged."""
    try:
        return frozenset(map(chr, ft2font.FT2Font(path, face_index=index).get_charmap()))
    except (OSError, RuntimeError):
        return frozenset()
