"""Run a stage function from the command line: its paths as arguments, its params from a file."""

import argparse
import inspect
from collections.abc import Callable
from pathlib import Path

from stages.running import ending, paramfile

INTERRUPTED = (
    "interrupted; nothing half-written was kept. DVC had removed the outputs of the run before:"
    " `git checkout reports && dvc checkout` brings them back"
)


def run(stage: Callable[..., None], schema: type[paramfile.Section]) -> None:
    """Call `stage(params, *paths)` with the paths on the command line; paths with a default are options.

    The process ends with one line where it cannot go on, see `ending.told`.
    """
    name = stage.__name__
    parser = argparse.ArgumentParser(prog=f"python -m stages.{name}")
    for path in list(inspect.signature(stage).parameters.values())[1:]:
        is_required = path.default is inspect.Parameter.empty
        parser.add_argument(path.name if is_required else f"--{path.name}", type=Path)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    arguments = vars(parser.parse_args())
    with ending.told(name, interrupted=INTERRUPTED):
        stage(paramfile.read(schema, name, arguments.pop("params")), **arguments)
