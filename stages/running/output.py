"""The encoding of what a command prints."""

import io
import sys


def use_utf8() -> None:
    """Print UTF-8 whatever the locale is: names of classes and "→" are not in every encoding."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8")
