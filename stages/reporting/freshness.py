"""Say whether dvc.lock and reports/ are what this code and these params give; needs no data.

    python -m stages.reporting.freshness

Exits with status 1 and names the stale stages and what changed in each.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from ruamel.yaml import YAML

from stages.running import errors

DATA = "data/"  # outputs that Git does not hold


def stale(folder: Path) -> dict[str, list[str]]:
    """The stages that `dvc repro` would run in a repository, each with what changed, in dvc.yaml's order.

    Data is not looked at: it may be missing or another revision's. Its hashes stand in dvc.lock.

    Raises:
        errors.BadInput: DVC cannot read the pipeline.
    """
    status = _dvc(folder, "status", "--json")
    if status.returncode:
        raise errors.BadInput(f"expected a pipeline that DVC can read: {status.stderr.strip()}")
    changed = {stage: list(_changes(entries)) for stage, entries in json.loads(status.stdout).items()}
    found = {stage: changes for stage, changes in changed.items() if changes}
    return found or _contradictions(folder)


def _changes(entries: list[str | dict[str, dict]]) -> Iterator[str]:
    for entry in entries:
        if isinstance(entry, str):
            yield entry
            continue
        for changes in entry.values():
            yield from (path for path in changes if not path.startswith(DATA))


def _contradictions(folder: Path) -> dict[str, list[str]]:
    """Stages that read other data than the stage before wrote, as in a dvc.lock merged from two runs."""
    stages = YAML(typ="safe").load(folder / "dvc.lock")["stages"]
    written = {out["path"]: out["md5"] for stage in stages.values() for out in stage["outs"]}
    other = {
        name: [dep["path"] for dep in stage["deps"] if written.get(dep["path"], dep["md5"]) != dep["md5"]]
        for name, stage in stages.items()
    }
    return {name: paths for name, paths in other.items() if paths}


def _dvc(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dvc", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def main() -> None:
    """Check the repository in the working directory."""
    try:
        found = stale(Path())
    except errors.BadInput as error:
        sys.exit(f"freshness: error: {error}")
    if found:
        lines = "\n".join(f"  {stage}: {', '.join(changes)}" for stage, changes in found.items())
        sys.exit(
            "freshness: error: dvc.lock does not fit the code and the params. Stale stages and what changed:"
            f"\n{lines}\nRun `dvc repro`, then commit dvc.lock and reports/."
        )
    print("dvc.lock fits the code and the params.")


if __name__ == "__main__":
    main()
