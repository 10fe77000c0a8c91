"""The revision that a page compares with: its results in Git, and how they differ."""

from pathlib import Path
from typing import NamedTuple

import pandas as pd

from stages.review import pairing, project, results, revision, sections

PARAMS = "params.yaml"


class Base(NamedTuple):
    """Another revision of the project."""

    name: str  # in words
    results: results.Results | None  # None if it has no metrics
    paired: pd.DataFrame | None  # its predictions if they are for the head's images, else None
    verdict: str  # on the head, in Markdown


def read(folder: Path, name: str, head: results.Results, files: revision.Revision) -> Base:
    """Read another revision of the project in a folder; nothing of it is run, and no data is needed.

    Args:
        folder: The folder of the project.
        name: The revision, as Git or DVC knows it.
        head: The results in the folder.
        files: The files in the folder.

    Raises:
        errors.BadInput: there is no such revision, or its results are damaged.
    """
    with project.opened(folder) as repo:
        commit = project.resolve(repo, name)
        title = project.title(name, commit)
        committed = project.committed(repo, commit, title)
        found = results.read(committed)
        params = (committed.yaml(PARAMS) or {}, files.yaml(PARAMS) or {})
    why_not = pairing.other_images(*params)
    paired = None if why_not or found is None else found.predictions
    return Base(title, found, paired, sections.verdict(found, head, why_not))
