"""Run a stage function from the command line: its paths as arguments, its params from a file."""

import argparse
import errno
import inspect
import sys
from collections.abc import Callable
from pathlib import Path

from stages.running import errors, paramfile


def run(stage: Callable[..., None], schema: type[paramfile.Section]) -> None:
    """Call `stage(params, *paths)` with the paths on the command line.

    Exits with status 1 and one message when the input is bad or the disk is full. Any other
    exception is a defect and keeps its traceback.
    """
    name = stage.__name__
    parser = argparse.ArgumentParser(prog=f"python -m stages.{name}")
    for path in list(inspect.signature(stage).parameters)[1:]:
        parser.add_argument(path, type=Path)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    arguments = vars(parser.parse_args())
    try:
        stage(paramfile.read(schema, name, arguments.pop("params")), **arguments)
    except errors.BadInput as error:
        sys.exit(f"{name}: error: {error}")
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        sys.exit(f"{name}: error: no space left on the disk; nothing half-written was kept: {error}")
