"""Does the comparison over seeds hold its 5 %, and which differences does it find?

    python -m benchmarks seeds             # simulated: 10,000 pairs of sides with a known truth
    python -m benchmarks seeds --real      # the digits, trained with 20 seeds

Simulated sides have answers like those of the digits and of the default. With a true difference of zero every
verdict is a false alarm, with another it is a find. The real seeds of the digits are all of one side, so that
every verdict on two groups of them is a false alarm, too. McNemar's test of one training of each side stands
beside it. A seed that has been trained before is not trained again.
"""

import argparse
import functools
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import machine, options, recipes, runs, scratch, table
from benchmarks.suites import populations, templates
from stages.reporting import markdown
from stages.review import comparison, crossed
from stages.running import errors, outputs, progress

RESULTS = Path("reports/benchmarks/seeds.json")
MARKER = "seeds"
REAL = recipes.Recipe("digits")
COUNTS = (2, 3, 5, 10)  # trainings of a side
POWER_SHARE = 5  # of the pairs, one in so many is drawn again for each difference
GROUPS = 1_000  # random pairs of groups of real seeds
SIMULATED: dict[populations.Population, tuple[float, ...]] = {  # and the true differences, in shares
    populations.Population("like the digits", 360, 0.96, 1.5, 0.0, 0.15, 0.15): (0.01, 0.02, 0.03),
    populations.Population("the same, seeds of the head vary thrice", 360, 0.96, 1.5, 0.0, 0.1, 0.3): (),
    populations.Population("like the default", 3000, 0.976, 1.5, 0.3, 0.045, 0.045): (0.0025, 0.005, 0.01),
}
HEADERS = ["", "true difference, points", *(f"{count} seeds" for count in COUNTS), "McNemar, 1 seed"]


def main(words: Sequence[str]) -> None:
    """Run the benchmark."""
    parser = options.parser("seeds", __doc__, range(20))
    parser.add_argument("--real", action="store_true", help="train the digits instead of simulating")
    parser.add_argument("--pairs", type=int, default=10_000, help="simulated pairs without a difference")
    parser.add_argument("--page", action="store_true", help=f"renew the tables in {templates.PAGE} as well")
    parser.add_argument("--output", type=Path, default=RESULTS)
    chosen = parser.parse_args(words)
    if chosen.real:
        _train(chosen)
        _add(chosen.output, real=real(*_answers(chosen.output)))
    else:
        _add(chosen.output, simulated=simulate(chosen.pairs))
    found = outputs.read_json(chosen.output)
    print(machine.line(machine.describe()), table.render(HEADERS, rows(found)), sep="\n\n")
    if chosen.page:
        templates.renew(MARKER, markdown.cut(HEADERS, rows(found)))


def simulate(pairs: int) -> list[dict[str, Any]]:
    """Count the verdicts on simulated pairs, for each population and true difference by seeds a side."""
    generator = np.random.default_rng(0)
    cases = [(each, truth) for each, truths in SIMULATED.items() for truth in (0.0, *truths)]
    found = []
    with progress.bar(len(cases) * len(COUNTS), "simulating", "cases") as bar:
        for population, truth in cases:
            count = pairs if truth == 0 else max(pairs // POWER_SHARE, 1)
            shares = {}
            for trainings in progress.counted(COUNTS, bar):
                drawn = populations.answers(population, truth, trainings, count, generator)
                shares[str(trainings)] = _share(_is_different(*sides) for sides in drawn)
            drawn = populations.answers(population, truth, 1, max(pairs // POWER_SHARE, 1), generator)
            single = _share(_is_different_by_mcnemar(*sides) for sides in drawn)
            found.append(
                {
                    **population._asdict(),
                    "difference": truth,
                    "pairs": count,
                    "found": shares,
                    "mcnemar": single,
                }
            )
    return found


def real(answers: np.ndarray, seeds: Sequence[int]) -> dict[str, Any]:
    """Count the verdicts on disjoint groups of trainings that differ by their seed only.

    Args:
        answers: bool [SEEDS, IMAGES], True where right.
        seeds: The seed of each.

    Returns:
        The shares of random pairs of disjoint groups that are called different, by seeds a side, and of all
        pairs of two trainings by McNemar's test, with the accuracies.
    """
    generator = np.random.default_rng(0)
    shares = {}
    for count in COUNTS:
        if 2 * count <= len(answers):
            chosen = (generator.permutation(len(answers))[: 2 * count] for _ in range(GROUPS))
            shares[str(count)] = _share(
                _is_different(answers[group[:count]], answers[group[count:]]) for group in chosen
            )
    pairs = itertools.combinations(answers, 2)
    single = _share(_is_different_by_mcnemar(one[np.newaxis], other[np.newaxis]) for one, other in pairs)
    accuracies = answers.mean(axis=1).round(4).tolist()
    return {"seeds": list(seeds), "accuracies": accuracies, "found": shares, "mcnemar": single}


def rows(found: Mapping[str, Any]) -> list[list[str]]:
    """Lay out the shares of verdicts that call two sides different."""
    laid = [_row(case["name"], f"{100 * case['difference']:g}", case) for case in found.get("simulated", [])]
    if "real" in found:
        trained = f"the digits, {len(found['real']['seeds'])} real seeds"
        laid.append(_row(trained, "0", found["real"]))
    return laid


def _row(name: str, truth: str, case: Mapping[str, Any]) -> list[str]:
    shares = [case["found"].get(str(count)) for count in COUNTS]
    return [name, truth, *("—" if each is None else _percent(each) for each in (*shares, case["mcnemar"]))]


def _percent(share: float) -> str:
    return markdown.percent(share, 1)


def _is_different(base: np.ndarray, head: np.ndarray) -> bool:
    return crossed.compare(base, head, paired=True).verdict != "no difference"


def _is_different_by_mcnemar(base: np.ndarray, head: np.ndarray) -> bool:
    return comparison.paired(base[0], head[0]).verdict != "no difference"


def _share(verdicts: Iterable[bool]) -> float:
    return round(float(np.mean(list(verdicts))), 4)


def _train(chosen: argparse.Namespace) -> None:
    with scratch.copy(Path(), scratch.folder()) as copy:
        for seed in chosen.seeds:
            keep: Callable[[Path], None] = functools.partial(_keep, chosen.output, seed)
            runs.measure(copy, REAL, seed, chosen.output, chosen.again, keep)


def _keep(output: Path, seed: int, reports: Path) -> None:
    """Keep which test images a training has right, as a text of 0 and 1 in the order of their positions."""
    predictions = pd.read_csv(reports / "predictions.csv", dtype=str, keep_default_na=False)
    ordered = predictions.sort_values("index", key=lambda column: column.astype(int))
    right = ordered["predicted"] == ordered["actual"]
    known = outputs.read_json(output).get("answers", {}) if output.is_file() else {}
    _add(output, answers={**known, str(seed): "".join(right.astype(int).astype(str))})


def _answers(output: Path) -> tuple[np.ndarray, list[int]]:
    """The answers of the trainings of today's code, and their seeds."""
    known = outputs.read_json(output).get("answers", {})
    seeds = [run.seed for run in runs.select(runs.read(output), REAL) if str(run.seed) in known]
    if len(seeds) < 2:
        raise errors.BadInput(f"expected at least two seeds, received {len(seeds)}; name more with --seeds")
    return np.array([[digit == "1" for digit in known[str(seed)]] for seed in seeds]), seeds


def _add(output: Path, **values: Any) -> None:
    """Replace some keys of the file of results, which runs need to have one of."""
    rest = outputs.read_json(output) if output.is_file() else {"runs": []}
    outputs.write_json(output, {**rest, **values})
