"""Plug-ins: a parameter names one of the files in a folder of stages/."""

import importlib
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from stages.running import errors, paramfile

STAGES = Path(__file__).parents[1]


class Plugin(NamedTuple):
    """A chosen file and its checked options, an instance of the class `Options` that the file defines."""

    name: str
    module: ModuleType
    options: Any


def names(room: str) -> list[str]:
    """Return the names of the plug-ins in a folder of stages/."""
    return sorted(path.stem for path in (STAGES / room).glob("[a-z]*.py"))


def choose(room: str, values: Mapping[str, Any], where: str) -> Plugin:
    """Import the plug-in that a parameter names and check its options.

    Args:
        room: A folder of stages/, such as models.
        values: The plug-in's `name`, and its options by name.
        where: The parameter, such as train.model.

    Raises:
        errors.BadInput: the name is missing or unknown, or an option is missing, unknown or wrong.
    """
    known, options = names(room), dict(values)
    if "name" not in options:
        raise errors.BadInput(f"{where}.name is missing; expected one of: {', '.join(known)}")
    if (name := options.pop("name")) not in known:
        raise errors.unknown(where.split(".")[-1], str(name), known)
    module = load(room, name)
    return Plugin(name, module, paramfile.check(module.Options, options, where))


def load(room: str, name: str) -> ModuleType:
    """Import a plug-in.

    Raises:
        errors.BadInput: no plug-in has this name.
    """
    if name not in names(room):
        raise errors.unknown("plug-in", name, names(room))
    return importlib.import_module(f"stages.{room}.{name}")
