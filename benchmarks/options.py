"""The options that benchmarks share."""

import argparse
from collections.abc import Sequence


def parser(name: str, document: str | None, seeds: Sequence[int] = ()) -> argparse.ArgumentParser:
    """Make the parser of a benchmark's command line.

    Args:
        name: The benchmark.
        document: The docstring of its file.
        seeds: The values of `train.seed` unless others are given; without any it trains nothing.
    """
    made = argparse.ArgumentParser(
        prog=f"python -m benchmarks {name}",
        description=document,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    if seeds:
        made.add_argument("--seeds", nargs="+", type=int, default=list(seeds), help="values of train.seed")
        made.add_argument("--again", action="store_true", help="train what has been trained before, too")
    return made
