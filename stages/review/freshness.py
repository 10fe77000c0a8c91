"""Check that dvc.lock and reports/ belong to the present code, params and versions; this needs no data.

    python -m stages.review.freshness

If not, the exit status is 1, and the error names the stale stages and what differs in each, and the packages
that are pinned in another version than the one that trained the model.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from stages.review import project, versions
from stages.running import ending, errors


def main() -> None:
    """Check the repository in the working directory."""
    with ending.told("freshness"):
        with project.opened(Path()) as repo:
            found = project.stale(repo)
            others = versions.differences(project.present(repo, "the working tree"))
        if wrong := [*_stale(found), *_other_versions(others)]:
            raise errors.StageError("\n".join(wrong))
        print("dvc.lock fits the code and the params.")


def _stale(stages: Mapping[str, Mapping[str, str]]) -> list[str]:
    if not stages:
        return []
    return [
        "dvc.lock does not fit the code and the params. Stale stages and why:",
        *(f"  {stage}: {_listed(reasons)}" for stage, reasons in stages.items()),
        "Run `dvc repro`, then commit dvc.lock and reports/.",
    ]


def _other_versions(found: Sequence[versions.Difference]) -> list[str]:
    if not found:
        return []
    return [
        f"The results are of other versions than {versions.REQUIREMENTS} pins:",
        *(f"  {each}" for each in found),
        f"Install {versions.REQUIREMENTS} and run `{versions.REMEDY}`, then commit dvc.lock and reports/.",
    ]


def _listed(reasons: Mapping[str, str]) -> str:
    return ", ".join(f"{what} ({how})" for what, how in reasons.items())


if __name__ == "__main__":
    main()
