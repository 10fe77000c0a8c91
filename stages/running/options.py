"""Command lines that take more of their options in one text, as a Makefile hands it over."""

import argparse
import shlex
import sys


def parse(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Parse the command line by a parser that also gets the option --options TEXT.

    The options in the text come before those of the command line. A wrong one ends the process, with the
    parser's usage and status.
    """
    parser.add_argument("--options", default="", metavar="TEXT", help="more of these options in one text")
    arguments = parser.parse_args()
    if not arguments.options:
        return arguments
    try:
        return parser.parse_args([*shlex.split(arguments.options), *sys.argv[1:]])
    except ValueError as error:  # from shlex
        parser.error(f"--options: {error}, received {arguments.options!r}")
