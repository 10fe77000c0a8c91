"""Report on a change: compare the results of two revisions in Git, as Markdown for a pull request.

The report needs no data, no DVC cache and no network. Exit status: 0 is a report without objection; 3
is a report that says no (dvc.lock is stale, the results are of other versions than the requirements pin,
or a floor is not held), with the reason on standard error too; 2 is bad input or usage, without a report.
"""

import argparse
import math
import sys
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

from stages.figures import canvas
from stages.reporting import markdown
from stages.review import (
    crossed,
    lockfile,
    over_seeds,
    pairing,
    project,
    results,
    revision,
    sections,
    side_by_side,
    trainings,
    versions,
)
from stages.running import ending, errors, options, outputs

SAYS_NO, BAD_INPUT = 3, 2
PARAMS = "params.yaml"


def main() -> None:
    """Write the report that the command line asks for to standard output, as UTF-8."""
    arguments = _arguments()
    with ending.told("report", BAD_INPUT):
        with ExitStack() as stack:
            here = stack.enter_context(project.opened(Path.cwd()))
            text, objections = _report(here, stack, arguments)
        print(text)
    for objection in objections:
        print(f"report: {objection}", file=sys.stderr)
    sys.exit(SAYS_NO if objections else 0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m stages.review.report", epilog=__doc__)
    parser.add_argument(
        "--base", required=True, type=_revision, help="what to compare with: any Git revision or experiment"
    )
    parser.add_argument("--head", type=_revision, help="what to report on; the working tree unless given")
    parser.add_argument("--min-accuracy", type=_share, metavar="SHARE", help="the least accuracy, in 0..1")
    parser.add_argument(
        "--max-drop", type=_share, metavar="SHARE", help="the largest drop of accuracy, in 0..1"
    )
    parser.add_argument(
        "--picture", type=Path, metavar="PNG", help="write curves and confusion matrices here"
    )
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--picture-url", type=_address, metavar="URL", help="where the report finds it")
    place.add_argument("--picture-link", type=_address, metavar="URL", help="link to this page instead")
    arguments = options.parse(parser)
    if (arguments.picture_url or arguments.picture_link) and not arguments.picture:
        parser.error("--picture-url and --picture-link need --picture")
    return arguments


def _revision(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("expected a Git revision or an experiment, received an empty name")
    return text


def _address(text: str) -> str:
    if urlsplit(text).scheme not in ("", "http", "https"):
        raise argparse.ArgumentTypeError(f"expected an address of http or https, or a path, received {text}")
    return text


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"expected a share in 0..1, received {text}")
    return share


def _report(here: project.Project, stack: ExitStack, arguments: argparse.Namespace) -> tuple[str, list[str]]:
    """The report, and what speaks against the change."""
    if arguments.picture:
        outputs.require_replaceable(arguments.picture)
    base_commit = project.resolve(here, arguments.base)
    repo, head_name = here, project.title_of_tree(here)
    if arguments.head is not None:
        head_commit = project.resolve(here, arguments.head)
        head_name = project.title(arguments.head, head_commit)
        repo = stack.enter_context(project.checkout(here, head_commit, head_name))
    base_name = project.title(arguments.base, base_commit)
    base_files = project.committed(here, base_commit, base_name)
    head_files = project.present(repo, head_name)

    stale = project.stale(repo)
    objections = [f"dvc.lock is stale: {', '.join(stale)}"] if stale else []
    other_versions = versions.differences(head_files)
    if other_versions:
        named = ", ".join(map(str, other_versions))
        objections.append(f"the results are of other versions than {versions.REQUIREMENTS} pins: {named}")
    base, head = results.read(base_files), results.read(head_files)
    base_params, head_params = (files.yaml(PARAMS) or {} for files in (base_files, head_files))
    parts = [sections.stale(stale)] if stale else []
    parts += [sections.other_versions(other_versions)] if other_versions else []
    compared = f"{markdown.name(base_name)} → {markdown.name(head_name)}"
    floors = sections.Floors(arguments.min_accuracy, arguments.max_drop)
    if refusals := floors.refusals(base, head):
        parts.append(sections.refused(refusals))
        objections += refusals
    if head is None:
        if not stale:
            raise errors.BadInput(f"expected {results.METRICS} in {head_name}, found none; run `dvc repro`")
        parts += [f"**No verdict**: the head has no {markdown.name(results.METRICS)}.", compared]
    else:
        other_images = pairing.other_images(base_params, head_params)
        found = _over_seeds(here, base_files, None if stale else head_files)
        if min(map(len, found.values()), default=0) >= crossed.FEWEST:
            change, reason = over_seeds.compared(found["base"], found["head"], other_images)
            verdict = over_seeds.verdict(change, reason)
        else:
            verdict = sections.verdict(base, head, other_images)
        parts += [
            verdict,
            compared,
            over_seeds.table(found),
            sections.differences("Metrics", base.metrics if base else {}, head.metrics),
            sections.classes(base, head, other_images),
            sections.confusions(base, head),
        ]
    parts += [
        sections.differences("Params", base_params, head_params),
        sections.stages(lockfile.changed(lockfile.read(base_files), lockfile.read(head_files))),
    ]
    if head is not None:
        parts.append(sections.environment(base, head))
        if arguments.picture:
            drawn = {"head": head} if base is None else {"base": base, "head": head}
            with outputs.file(arguments.picture) as partial:
                canvas.save(side_by_side.draw(drawn), partial)
            file = arguments.picture.as_posix()
            parts.append(sections.picture(file, arguments.picture_url, arguments.picture_link))
    return markdown.document(parts), objections


def _over_seeds(
    here: project.Project, base: revision.Revision, head: revision.Revision | None
) -> dict[str, list[trainings.Training]]:
    """The trainings of each side that differ by their seed only; none where both sides would share them."""
    kinds = {"base": trainings.read(base), "head": (None, None) if head is None else trainings.read(head)}
    if kinds["base"][0] == kinds["head"][0]:
        return {}
    return {
        side: [] if kind is None else trainings.alike(here, kind, own) for side, (kind, own) in kinds.items()
    }


if __name__ == "__main__":
    main()
