"""The encoding of what a command prints."""

import io
import sys


def use_utf8() -> None:
    """Print UTF-8 with every locale: other encodings may lack "→" or characters of class names."""
    for stream in (sys.__stdout__, sys.__stderr__):  # libraries may have wrapped sys.stdout
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8")
