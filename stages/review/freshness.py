"""Check that dvc.lock and reports/ belong to the present code and params; this needs no data.

    python -m stages.review.freshness

If not, the exit status is 1, and the error names the stale stages and what differs in each.
"""

import sys
from pathlib import Path

from stages.review import project
from stages.running import errors, output


def main() -> None:
    """Check the repository in the working directory."""
    output.use_utf8()
    try:
        with project.opened(Path()) as repo:
            found = project.stale(repo)
    except errors.BadInput as error:
        sys.exit(f"freshness: error: {error}")
    if found:
        lines = [f"  {stage}: {_listed(reasons)}" for stage, reasons in found.items()]
        sys.exit(
            "freshness: error: dvc.lock does not fit the code and the params. Stale stages and why:\n"
            + "\n".join(lines)
            + "\nRun `dvc repro`, then commit dvc.lock and reports/."
        )
    print("dvc.lock fits the code and the params.")


def _listed(reasons: dict[str, str]) -> str:
    return ", ".join(f"{what} ({how})" for what, how in reasons.items())


if __name__ == "__main__":
    main()
