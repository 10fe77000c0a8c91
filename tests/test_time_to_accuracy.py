"""Targets are met or missed by their means; the table, the file and the picture say so."""

import os

import pytest
from matplotlib.colors import to_hex

from benchmarks import child, machine, recipes, runs
from benchmarks.suites import accuracy, picture
from stages.figures import canvas
from stages.running import errors
from tests import measured

FIRST = accuracy.GOALS[0]
PUBLISHED = "A on its author's CPU"


def outcome(goal=FIRST, accuracies=(0.9, 0.91), seconds=(10.0, 11.0)):
    pairs = zip(accuracies, seconds, strict=True)
    return goal, [measured.run(accuracy=one, seconds=other) for one, other in pairs]


@pytest.mark.parametrize(
    ("accuracies", "seconds", "met"),
    [
        ([0.883], [12.0], True),
        ([0.87, 0.90], [5.0, 19.0], True),
        ([0.8829], [5.0], False),
        ([0.99], [12.1], False),
    ],
)
def test_a_target_is_met_by_means_of_accuracy_and_seconds(accuracies, seconds, met):
    goal, tried = outcome(accuracies=accuracies, seconds=seconds)
    assert goal.met(tried) == met


def test_every_target_names_keys_of_its_params_file():
    for goal in accuracy.GOALS:
        assert goal.recipe.params() and goal.recipe.effective() == goal.recipe
        assert goal.problem in picture.STYLES


def test_the_table_is_aligned_and_says_what_was_missed():
    _, _, met, missed = accuracy.render([outcome(), outcome(seconds=[13.0, 13.0])]).splitlines()
    assert met.split() == [
        *FIRST.problem.split(), "0.8830", "0.9050", "±", "0.0071", "12", "10.5", "±", "0.7", "-", "2", "met",
        *str(FIRST.recipe).split(),
    ]  # fmt: skip
    assert " MISSED " in missed
    assert met.index(FIRST.recipe.config) == missed.index(FIRST.recipe.config)


def test_preparation_is_shown_beside_the_seconds(tmp_path):
    (goal,) = [each for each in accuracy.GOALS if each.device == "gpu" and each.reach == 0.94]
    trained(tmp_path / "accuracy.json", goal, [4, 5], seconds=1.85, preparation_seconds=41.0)
    ((tried, found),) = outcomes = accuracy.outcomes(runs.read(tmp_path / "accuracy.json"))
    assert tried == goal and goal.met(found)
    assert " 2 1.85 ± 0.00 41.0 ± 0.0 2 met " in " ".join(accuracy.render(outcomes).split())


def test_only_runs_for_a_gpu_target_see_a_gpu():
    assert child.environment()["CUDA_VISIBLE_DEVICES"] == "-1"
    assert child.environment("gpu").get("CUDA_VISIBLE_DEVICES") == os.environ.get("CUDA_VISIBLE_DEVICES")


def test_a_machine_is_named_after_the_gpu_that_computes(tmp_path, monkeypatch):
    driver = tmp_path / "nvidia-smi"
    driver.write_text("#!/bin/sh\nprintf 'Some GPU\\nSome other GPU\\n'\n")
    driver.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    processor = machine.describe()["processor"]
    assert machine.line(machine.describe("gpu")).startswith(f"Some GPU, {processor}, ")


def trained(results, goal, seeds, **changes):
    """Results in which a goal has been trained with the code as it is."""
    changes |= {"config": goal.recipe.config, "overrides": goal.recipe.overrides}
    mark = goal.recipe.fingerprint()
    new = [
        measured.run(seed=seed, accuracy=round(0.9 + seed / 100, 2), fingerprint=mark, **changes)
        for seed in seeds
    ]
    measured.write(results, [*runs.read(results), *new])


def test_outcomes_come_in_the_order_of_the_targets(tmp_path):
    results = tmp_path / "accuracy.json"
    last, first = accuracy.GOALS[4], accuracy.GOALS[0]
    trained(results, last, [0, 1])
    trained(results, first, [0, 1])
    outcomes = accuracy.outcomes(runs.read(results))
    assert [goal for goal, _ in outcomes] == [first, last]
    assert [[run.accuracy for run in tried] for _, tried in outcomes] == [[0.9, 0.91], [0.9, 0.91]]


def test_runs_for_no_target_are_passed_over(tmp_path):
    trained(tmp_path / "accuracy.json", FIRST, [0])
    other = recipes.Recipe(FIRST.recipe.config, FIRST.recipe.overrides | {"train.epochs": 2})
    trained(tmp_path / "accuracy.json", FIRST._replace(recipe=other), [0])
    assert [goal for goal, _ in accuracy.outcomes(runs.read(tmp_path / "accuracy.json"))] == [FIRST]


def test_damaged_outcomes_are_an_error(tmp_path):
    (tmp_path / "accuracy.json").write_text('{"runs": [{"problem": "x"}]}')
    with pytest.raises(errors.BadInput, match="expected the runs of an earlier benchmark"):
        runs.read(tmp_path / "accuracy.json")


def drawn(tmp_path):
    outcomes = [outcome(), outcome(accuracy.GOALS[1], [0.98, 0.981], [110.0, 112.0])]
    reproduced = [measured.run("cifar10"), measured.run("digits")]
    points = [*picture.points(outcomes, reproduced, {}), picture.PUBLISHED]
    figure = picture.figure(points, picture.machines(reproduced))
    canvas.save(figure, tmp_path / "accuracy.png")
    return figure


def test_the_picture_names_every_system_within_its_bounds(tmp_path):
    figure = drawn(tmp_path)
    (axes,) = figure.axes
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.texts] == [picture.THREE]
    assert [text.get_text() for text in axes.texts] == ["C", PUBLISHED]
    assert axes.get_xscale() == "log"
    processor, cores = measured.run().machine
    assert axes.get_title().endswith(f"\n{processor}, {cores} CPU cores")
    for text in [*axes.texts, *legend.texts, axes.title]:
        box = text.get_window_extent()
        assert figure.bbox.contains(*box.min) and figure.bbox.contains(*box.max)


def test_others_with_the_same_network_stand_at_all_their_seconds():
    row = {"accuracy": 0.9, "losses": [1.0, 0.5], "seconds": [20.0, 10.0]}
    (point,) = picture.points([], [], {"ours": row, "pytorch": row})
    assert point.place == (30.0, 0.9)
    assert not picture.points([], [], {})


def test_ours_are_filled_and_joined_and_theirs_hollow(tmp_path):
    (axes,) = drawn(tmp_path).axes
    joined = [line for line in axes.lines if len(line.get_xdata()) == 2 and line.get_linestyle() == "-"]
    assert [list(line.get_xdata()) for line in joined] == [[10.5, 111.0]]
    markers = [bars.lines[0] for bars in axes.containers]
    filled = [to_hex(line.get_markerfacecolor()) != "#ffffff" for line in markers]
    assert filled == [True, True, False, False]
    assert [float(line.get_xdata()[0]) for line in markers] == [10.5, 111.0, 60.0, 1340.0]


def test_without_results_there_is_no_picture(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(errors.BadInput, match="found neither"):
        picture.main([])
    assert not list(tmp_path.iterdir())


def test_the_picture_shows_whatever_exists(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    measured.write(picture.tutorials.FOLDER / "results.json", [measured.run("cifar10")])
    picture.main([])
    assert picture.PICTURE.stat().st_size > 0
