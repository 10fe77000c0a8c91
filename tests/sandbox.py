"""A Git and DVC repository with this project's code, in which tests run real commands."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from ruamel.yaml import YAML

yaml = YAML()
PROJECT = Path(__file__).parent.parent
STAGES = ["download", "subset", "records", "train", "evaluate"]


class Repository:
    """A folder under Git and DVC."""

    def __init__(self, path):
        self.path = path

    def attempt(self, *command):
        """Run a command to its end, whatever its exit status; return what `subprocess.run` does."""
        environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "DVC_NO_ANALYTICS": "1",
            "PIP_NO_INDEX": "1",  # no test may install into the environment that runs it
        }
        return subprocess.run(
            command, cwd=self.path, env=environment, capture_output=True, text=True, timeout=500
        )

    def run(self, *command):
        """Run a command to its end; it must succeed. Return its standard output."""
        done = self.attempt(*command)
        assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    def stages_run(self, *command):
        """Which stages a DVC command ran, in order."""
        lines = self.run(*command).splitlines()
        return [line.split("'")[1] for line in lines if line.startswith("Running stage")]

    def sign(self):
        """Give Git a name for commits."""
        self.run("git", "config", "user.email", "tests@example.com")
        self.run("git", "config", "user.name", "Tests")

    def commit(self, message):
        """Commit everything on the current branch."""
        self.run("git", "add", ".")
        self.run("git", "commit", "--quiet", f"--message={message}")

    def use_this_environment(self):
        """Give make the packages that run this test as its .venv."""
        environment = self.path / ".venv"
        environment.mkdir()
        for part in Path(sys.prefix).iterdir():
            (environment / part.name).symlink_to(part)
        # make compares times: the developers' stamp must not be older than the others.
        for requirements in sorted(self.path.glob("requirements*.txt"), reverse=True):
            stamp = environment / requirements.name
            stamp.unlink(missing_ok=True)
            shutil.copyfile(requirements, stamp)

    def clone(self, path):
        """A fresh clone: this repository's commits without its data."""
        self.run("git", "clone", "--quiet", ".", str(path))
        clone = Repository(path)
        clone.sign()
        return clone

    def set(self, leaf, value):
        """Write one value to params.yaml."""
        *sections, key = leaf.split(".")
        document = yaml.load(self.path / "params.yaml")
        mapping = document
        for section in sections:
            mapping = mapping[section]
        mapping[key] = value(mapping[key]) if callable(value) else value
        yaml.dump(document, self.path / "params.yaml")

    def digests(self):
        """SHA-256 of every output."""
        files = [
            file
            for folder in ("data", "reports")
            for file in (self.path / folder).rglob("*")
            if file.is_file() and file.name != ".gitignore"
        ]
        return {
            str(file.relative_to(self.path)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files
        }


def create(path):
    """Create a repository of this project as it is, with the digits as its dataset and nothing run yet."""
    repository = Repository(path)
    ignore = shutil.ignore_patterns("__pycache__")
    for folder in ("stages", "configs", ".ci", ".dvc/plots"):
        shutil.copytree(PROJECT / folder, path / folder, ignore=ignore)
    files = [
        "Makefile",
        "dvc.yaml",
        ".gitattributes",
        ".gitignore",
        ".dvcignore",
        "data/.gitignore",
        "data/archive/.gitignore",
        "data/images/.gitignore",
        "data/weights/.gitignore",
        ".dvc/config",
    ]
    for name in [*files, ".dvc/.gitignore"]:
        (path / name).parent.mkdir(exist_ok=True, parents=True)
        shutil.copy(PROJECT / name, path / name)
    for requirements in PROJECT.glob("requirements*.txt"):
        shutil.copy(requirements, path)
    shutil.copy(PROJECT / "configs/digits.yaml", path / "params.yaml")
    repository.run("git", "init", "--quiet", "--initial-branch=main")
    repository.sign()
    repository.run("git", "add", ".")
    return repository
