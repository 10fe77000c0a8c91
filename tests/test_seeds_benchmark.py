"""The benchmark of the comparison over seeds: what is drawn has the truth that is said."""

import json

import numpy as np
import pytest

from benchmarks.suites import populations, seeds


@pytest.mark.parametrize("population", seeds.SIMULATED, ids=lambda each: each.name)
def test_drawn_sides_have_the_true_accuracies(population):
    drawn = populations.answers(population, 0.02, 4, 400, np.random.default_rng(0))
    base, head = zip(*drawn, strict=True)
    assert np.mean(base) == pytest.approx(population.accuracy, abs=0.003)
    assert np.mean(head) == pytest.approx(population.accuracy + 0.02, abs=0.003)


def test_sides_share_their_images():
    population = populations.Population("hard and easy images", 50, 0.5, 20.0, 0.0, 0.0, 0.0)
    for base, head in populations.answers(population, 0.0, 2, 5, np.random.default_rng(0)):
        assert (base == head).mean() > 0.9


def test_simulated_verdicts_are_kept_beside_what_was_there(tmp_path, capsys):
    output = tmp_path / "seeds.json"
    output.write_text('{"runs": [], "answers": {"0": "01"}}')
    seeds.main(["--pairs", "20", "--output", str(output)])
    kept = json.loads(output.read_text())
    assert kept["answers"] == {"0": "01"}
    large = [case for case in kept["simulated"] if case["difference"] == 0.03]
    assert large[0]["found"]["10"] == 1.0
    assert "like the default" in capsys.readouterr().out


def test_real_groups_share_no_training():
    answers = np.random.default_rng(0).random((6, 300)) < 0.9
    found = seeds.real(answers, range(6))
    assert list(found["found"]) == ["2", "3"]  # more would have to share trainings
    assert found["accuracies"] == answers.mean(axis=1).round(4).tolist()


def test_trainings_that_do_differ_are_counted():
    generator = np.random.default_rng(0)
    answers = np.array([generator.random(2000) < share for share in (0.5, 0.9)])
    assert seeds.real(answers, [0, 1])["mcnemar"] == 1.0
