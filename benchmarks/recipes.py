"""What a benchmark trains: a params file, some of whose values are replaced."""

import ast
import dataclasses
import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from stages.running import errors

yaml = YAML(typ="safe")


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A file of configs/ and what differs from it."""

    config: str  # without .yaml
    overrides: dict[str, Any] = dataclasses.field(default_factory=dict)  # dotted key: value

    def __str__(self) -> str:
        return ", ".join([self.config, *(f"{key}={value}" for key, value in self.overrides.items())])

    def params(self, project: Path = Path()) -> dict[str, Any]:
        """Read the file of a project, with the values that differ.

        Raises:
            errors.BadInput: there is no such file, or no such key in it.
        """
        path = project / "configs" / f"{self.config}.yaml"
        if not path.is_file():
            names = sorted(file.stem for file in path.parent.glob("*.yaml"))
            raise errors.unknown("params file", self.config, names)
        document = yaml.load(path)
        for key, value in self.overrides.items():
            *sections, leaf = key.split(".")
            mapping = _at(document, sections)
            if not isinstance(mapping, dict) or leaf not in mapping:
                raise errors.BadInput(f"expected a key of configs/{path.name}, received {key!r}")
            mapping[leaf] = value
        return document

    def effective(self, project: Path = Path()) -> "Recipe":
        """The same recipe without overrides that are in the file; raises what `params` does for the file."""
        plain = Recipe(self.config).params(project)
        differ = {key: value for key, value in self.overrides.items() if _at(plain, key.split(".")) != value}
        return Recipe(self.config, differ)

    def fingerprint(self, project: Path = Path()) -> str:
        """Digest what a model depends on, without its seed, as 16 hexadecimal digits of SHA-256.

        It is of the params, the commands of dvc.yaml, and the code that these depend on, without what only
        evaluate depends on: a new picture trains nothing again. Comments and docstrings do not count.
        """
        params = self.params(project)
        params["train"]["seed"] = None
        pipeline = yaml.load(project / "dvc.yaml")["stages"]
        del pipeline["evaluate"]
        commands = [stage["cmd"].partition(" --timing ")[0] for stage in pipeline.values()]
        digest = hashlib.sha256(json.dumps([params, commands], sort_keys=True).encode())
        deps = {_filled(dep, params) for stage in pipeline.values() for dep in stage["deps"]}
        for place in [project / dep for dep in sorted(deps) if dep.startswith("stages/")]:
            for file in sorted(place.rglob("*.py")) or [place]:
                digest.update(_code(file) if file.is_file() else b"")
        return digest.hexdigest()[:16]


def _at(document: Any, keys: Sequence[str]) -> Any:
    """What is below some keys, one after the other; None if one is missing."""
    for key in keys:
        document = document.get(key) if isinstance(document, dict) else None
    return document


def _filled(dep: str, params: dict[str, Any]) -> str:
    """A dependency of dvc.yaml with the params that its template names."""
    return re.sub(r"\$\{(.+?)\}", lambda found: str(_at(params, found[1].split("."))), dep)


def _code(file: Path) -> bytes:
    """A Python file without its comments and docstrings."""
    tree = ast.parse(file.read_bytes())
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
            del node.body[0]
    return ast.dump(tree).encode()
