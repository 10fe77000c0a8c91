"""A repository of its own for a run of the pipeline, so that the checkout stays as it is."""

import shutil
import subprocess
from pathlib import Path

PROJECT = Path(__file__).parent.parent


def create(folder: Path, params: Path) -> Path:
    """Copy what Git tracks, as it stands in the working tree, with a params file; data and DVC's
    cache start empty. Return the folder."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, stdout=subprocess.PIPE, check=True)
    for name in listed.stdout.decode().split("\0"):
        if name and (PROJECT / name).is_file():  # deleted files are listed until the next commit
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / name, folder / name)
    shutil.copyfile(params, folder / "params.yaml")
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    return folder
