"""The comparison over seeds agrees with a case worked by hand, and keeps its level of false alarms."""

import numpy as np
import pytest
from scipy import stats

from benchmarks.suites import populations
from stages.review import crossed

BASE = np.array([[1, 1, 0, 0], [1, 0, 0, 0]], bool)
HEAD = np.array([[1, 1, 1, 0], [1, 1, 1, 1]], bool)
POPULATION = populations.Population("small", 200, 0.9, 1.0, 0.3, 0.2, 0.2)


def side(accuracies, images=400, seed=0):
    """Trainings with these accuracies, each right on random images."""
    generator = np.random.default_rng(seed)
    return np.array([generator.permutation(images) < round(share * images) for share in accuracies])


def test_two_trainings_of_four_images_are_worked_by_hand():
    # Accuracies: 1/2 and 1/4, 3/4 and 1, whose variances are 1/32 on each side. Residuals: squares of 3/8 and
    # three times 1/8 in each training, 3/8 in all with 3 degrees of freedom, so 1/8, for 4 images 1/32.
    # Images: 0, 1/2, 1 and 1/2 more, with the variance 1/6, for 4 images 1/24, of which 1/32 is residual.
    found = crossed.compare(BASE, HEAD, paired=True)
    assert found.change == pytest.approx(1 / 2)
    assert found.seeds == pytest.approx(1 / 32)
    assert found.images == pytest.approx(1 / 24 - 1 / 32)
    variance = 1 / 32 + 1 / 24 - 1 / 32
    freedom = variance**2 / (2 * (1 / 64) ** 2)
    error = variance**0.5
    assert found.p == pytest.approx(2 * stats.t.sf(0.5 / error, freedom))
    assert found.low == pytest.approx(0.5 - stats.t.ppf(0.975, freedom) * error)
    assert found.high == 1.0
    assert found.verdict == "no difference"


def test_without_a_spread_between_seeds_images_alone_decide():
    base, head = side([0.8]), side([0.9], seed=1)
    found = crossed.compare(np.repeat(base, 3, axis=0), np.repeat(head, 3, axis=0), paired=True)
    error = np.std(head[0].astype(float) - base[0], ddof=1) / 20
    assert found.p == pytest.approx(2 * stats.norm.sf(found.change / error))


def test_equal_answers_are_no_difference():
    answers = np.repeat(side([0.8]), 2, axis=0)
    found = crossed.compare(answers, answers, paired=True)
    assert (found.p, found.low, found.high, found.verdict) == (1.0, 0.0, 0.0, "no difference")


def test_trainings_that_agree_by_chance_are_not_taken_for_steady_ones():
    base, head = side([0.8, 0.8]), side([0.85, 0.85], seed=1)
    found = crossed.compare(base, head, paired=True)
    assert found.base.spread == found.head.spread == 0
    assert found.seeds == pytest.approx(0.8 * 0.2 / 400, rel=0.3)


def test_a_side_of_few_and_unsteady_trainings_is_not_pooled_with_many_steady_ones():
    base, head = side([0.8] * 6), side([0.75, 0.95], seed=1)
    found = crossed.compare(base, head, paired=True)
    assert found.high - found.low > 1.0


def test_other_images_are_compared_unpaired():
    easy = np.repeat([True, False], [300, 100])
    base = np.array([easy, easy])
    paired, unpaired = (crossed.compare(base, base, paired=each) for each in (True, False))
    assert paired.images == 0
    assert unpaired.images == pytest.approx(2 * 0.75 * 0.25 / 399)
    fewer = crossed.compare(base, base[:, ::2], paired=False)
    assert fewer.images == pytest.approx(0.75 * 0.25 * (1 / 399 + 1 / 199))


@pytest.mark.parametrize("trainings", [2, 3, 5])
def test_false_alarms_are_at_most_five_percent(trainings):
    drawn = populations.answers(POPULATION, 0.0, trainings, 1000, np.random.default_rng(trainings))
    alarms = [crossed.compare(*sides, paired=True).verdict != "no difference" for sides in drawn]
    assert np.mean(alarms) <= 0.06  # 1.5 standard errors above 5 %


def test_the_interval_has_the_truth_in_it_and_the_difference_is_found():
    drawn = populations.answers(POPULATION, 0.06, 5, 300, np.random.default_rng(0))
    found = [crossed.compare(*sides, paired=True) for sides in drawn]
    assert np.mean([each.low <= 0.06 <= each.high for each in found]) >= 0.93
    assert np.mean([each.verdict == "better" for each in found]) >= 0.8
    assert not any(each.verdict == "worse" for each in found)


def test_the_detectable_difference_is_found_in_four_of_five_cases():
    even = POPULATION._replace(accuracy=0.5)  # where a difference does not change the spread
    drawn = list(populations.answers(even, 0.0, 5, 300, np.random.default_rng(1)))
    least = float(np.mean([crossed.compare(*sides, paired=True).detectable(5) for sides in drawn]))
    drawn = list(populations.answers(even, least, 5, 400, np.random.default_rng(2)))
    found = np.mean([crossed.compare(*sides, paired=True).verdict == "better" for sides in drawn])
    assert found == pytest.approx(0.8, abs=0.1)


def test_the_number_of_trainings_that_is_enough_is_the_smallest():
    found = crossed.compare(side([0.8, 0.82, 0.79]), side([0.83, 0.81, 0.82], seed=1), paired=True)
    difference = found.detectable(12)
    assert found.enough(difference) == 12
    assert found.enough(-difference) == 12
    assert found.enough(difference * 1.001) == 12
    assert found.enough(1e-6) is None
