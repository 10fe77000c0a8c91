"""Compare what two revisions give over several seeds: train what is missing, and report on the change.

Each side is trained with its own seed and with others until it has as many as are asked for, as experiments
of DVC in temporary copies. What Git has already counts and is not trained again: the committed results, and
all experiments that differ from them by train.seed only. The report is Markdown on standard output. Exit
status: 0 is a report; 2 is bad input or a training that failed, without a report; what was trained is kept.
"""

import argparse
from contextlib import ExitStack
from pathlib import Path

from stages.reporting import markdown
from stages.review import crossed, lockfile, over_seeds, pairing, project, sections, sides, trainings
from stages.running import ending, errors, progress

BAD_INPUT = 2
INTERRUPTED = "interrupted; what was trained is kept, and the next run trains only what is missing"


def main() -> None:
    """Train both sides over seeds, and write the report to standard output, as UTF-8."""
    arguments = _arguments()
    with ending.told("compare", BAD_INPUT, INTERRUPTED):
        count = _count(arguments.seeds)
        with ExitStack() as stack:
            here = stack.enter_context(project.opened(Path.cwd()))
            if arguments.head is None and project.has_changes(here):
                raise errors.BadInput(
                    "expected a commit to compare, received a working tree with uncommitted changes;"
                    " commit them, or name a revision with --head"
                )
            base = stack.enter_context(sides.opened(here, arguments.base))
            head = stack.enter_context(sides.opened(here, arguments.head or "HEAD"))
            _train(base, head, count)
            text = _report(base, head)
        print(text)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m stages.review.compare", epilog=__doc__)
    parser.add_argument("--base", required=True, help="what to compare with: any Git revision or experiment")
    parser.add_argument("--head", help="what to report on; the last commit unless given")
    parser.add_argument(
        "--seeds", default="5", metavar="N", help="trainings of each side, at least; 5 unless given"
    )
    return parser.parse_args()


def _count(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not crossed.FEWEST <= int(text) <= crossed.MOST:
        raise errors.BadInput(
            f"expected SEEDS to be a whole number of {crossed.FEWEST} to {crossed.MOST}, received {text!r}"
        )
    return int(text)


def _train(base: sides.Side, head: sides.Side, count: int) -> None:
    """Train what is missing of both sides, in turns, so that an interrupted run has something of each."""
    _require_different(base, head)
    plans = [[(side, seed) for seed in side.missing(count)] for side in (base, head)]
    longest = max(map(len, plans))
    turns = [plan[place] for place in range(longest) for plan in plans if place < len(plan)]
    if turns:
        with progress.bar(len(turns), "training", "trainings") as bar:
            for side, seed in turns:
                bar.set_postfix_str(f"{side.name}, seed {seed}")
                side.train(seed)
                bar.update(1)
    _require_different(base, head)


def _require_different(base: sides.Side, head: sides.Side) -> None:
    """Check that the sides do not share their trainings, which would be no comparison."""
    if base.commit == head.commit or (base.kind is not None and base.kind == head.kind):
        raise errors.BadInput(
            f"expected a change to compare, received {head.name}, which trains and evaluates as {base.name}"
            " does; name another base"
        )


def _report(base: sides.Side, head: sides.Side) -> str:
    found = {"base": base.trained(), "head": head.trained()}
    base_files, head_files = (project.committed(side.repo, side.commit, side.name) for side in (base, head))
    base_params, head_params = (files.yaml(trainings.PARAMS) or {} for files in (base_files, head_files))
    other_images = pairing.other_images(base_params, head_params)
    change, reason = over_seeds.compared(found["base"], found["head"], other_images)
    parts = [
        over_seeds.verdict(change, reason),
        f"{markdown.name(base.name)} → {markdown.name(head.name)}",
        over_seeds.table(found),
        over_seeds.metrics(found["base"], found["head"]),
        sections.differences("Params", base_params, head_params),
    ]
    if base.kind is not None and head.kind is not None:
        locks = lockfile.read(base_files), lockfile.read(head_files)
        parts.append(sections.stages(lockfile.changed(*locks)))
    return markdown.document(parts)


if __name__ == "__main__":
    main()
