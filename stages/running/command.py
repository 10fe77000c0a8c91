"""Run a stage function from the command line: its paths as arguments, its params from a file."""

import argparse
import errno
import inspect
import sys
from collections.abc import Callable
from pathlib import Path

from stages.running import errors, output, paramfile

NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
NO_PLACE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR)
STATUS_INTERRUPTED = 130
INTERRUPTED = (
    "interrupted; nothing half-written was kept. DVC had removed the outputs of the run before:"
    " `git checkout reports && dvc checkout` brings them back"
)


def run(stage: Callable[..., None], schema: type[paramfile.Section]) -> None:
    """Call `stage(params, *paths)` with the paths on the command line; paths with a default are options.

    The process exits with status 1 and one message if the input is bad, the disk is full or a place cannot
    be written, and with status 130 if the user interrupts it. Any other exception is a defect and keeps its
    traceback.
    """
    output.use_utf8()
    name = stage.__name__
    parser = argparse.ArgumentParser(prog=f"python -m stages.{name}")
    for path in list(inspect.signature(stage).parameters.values())[1:]:
        is_required = path.default is inspect.Parameter.empty
        parser.add_argument(path.name if is_required else f"--{path.name}", type=Path)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    arguments = vars(parser.parse_args())
    try:
        stage(paramfile.read(schema, name, arguments.pop("params")), **arguments)
    except errors.StageError as error:
        sys.exit(f"{name}: error: {error}")
    except KeyboardInterrupt:
        print(f"{name}: {INTERRUPTED}", file=sys.stderr)
        sys.exit(STATUS_INTERRUPTED)
    except OSError as error:
        if error.errno in NO_SPACE:
            sys.exit(f"{name}: error: no space left on the disk; nothing half-written was kept: {error}")
        if error.errno not in NO_PLACE:
            raise
        sys.exit(f"{name}: error: expected a place that can be read and written, received {error}")
