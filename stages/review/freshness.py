"""Check that dvc.lock and reports/ belong to the present code and params; this needs no data.

    python -m stages.review.freshness

If not, the exit status is 1, and the error names the stale stages and what differs in each.
"""

from pathlib import Path

from stages.review import project
from stages.running import ending, errors


def main() -> None:
    """Check the repository in the working directory."""
    with ending.told("freshness"):
        with project.opened(Path()) as repo:
            found = project.stale(repo)
        if found:
            lines = [f"  {stage}: {_listed(reasons)}" for stage, reasons in found.items()]
            raise errors.StageError(
                "dvc.lock does not fit the code and the params. Stale stages and why:\n"
                + "\n".join(lines)
                + "\nRun `dvc repro`, then commit dvc.lock and reports/."
            )
        print("dvc.lock fits the code and the params.")


def _listed(reasons: dict[str, str]) -> str:
    return ", ".join(f"{what} ({how})" for what, how in reasons.items())


if __name__ == "__main__":
    main()
