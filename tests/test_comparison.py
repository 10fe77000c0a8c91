"""The statistics agree with scipy, with cases worked by hand and with published examples."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from stages.review import comparison


def answers(both, fixed, broke, neither):
    """Right and wrong of base and of head, from the four counts of a paired table."""
    base = np.repeat([True, False, True, False], [both, fixed, broke, neither])
    head = np.repeat([True, True, False, False], [both, fixed, broke, neither])
    return base, head


TABLES = st.tuples(*[st.integers(0, 40)] * 4).filter(any)


def test_mcnemar_is_worked_by_hand():
    # 8 images changed, 7 of them for the worse. Of the 2^8 = 256 ways that fair coins fall, 1 + 8 are
    # at least so uneven on either side: p = 2 * 9 / 256.
    found = comparison.paired(*answers(1, 1, 7, 12))
    assert found.p == pytest.approx(18 / 256)
    assert (found.fixed, found.broke) == (1, 7)
    assert found.change == pytest.approx(-6 / 21)
    assert found.verdict == "no difference"


def test_the_paired_interval_is_the_published_one():
    # The table (1, 1; 7, 12) in Fagerland, Lydersen and Laake, Statistics in Medicine 33, 2014.
    found = comparison.paired(*answers(1, 1, 7, 12))
    assert (found.low, found.high) == (pytest.approx(-0.507, abs=5e-4), pytest.approx(-0.026, abs=5e-4))
    # The table (36, 12; 2, 0) in Newcombe, Statistics in Medicine 17, 1998, 2635-2650.
    found = comparison.paired(*answers(36, 12, 2, 0))
    assert (found.low, found.high) == (pytest.approx(0.0569, abs=5e-5), pytest.approx(0.3404, abs=5e-5))


def test_the_independent_interval_is_the_published_one():
    # 56 of 70 less 48 of 80 in Newcombe, Statistics in Medicine 17, 1998, 873-890.
    found = comparison.independent(48, 80, 56, 70)
    assert (found.low, found.high) == (pytest.approx(0.0524, abs=5e-5), pytest.approx(0.3339, abs=5e-5))


def test_fisher_is_worked_by_hand():
    # Of 3 + 3 images, base has 0 right, head 3. Given 3 right in all, each side has all of them in
    # 1 of 20 ways: p = 2 / 20.
    found = comparison.independent(0, 3, 3, 3)
    assert found.p == pytest.approx(0.1)
    assert (found.fixed, found.broke) == (None, None)


def test_many_images_make_a_small_change_a_clear_one():
    assert comparison.paired(*answers(900, 20, 10, 70)).verdict == "no difference"
    assert comparison.paired(*answers(9000, 200, 100, 700)).verdict == "better"
    assert comparison.paired(*answers(9000, 100, 200, 700)).verdict == "worse"
    assert comparison.independent(920, 1000, 910, 1000).verdict == "no difference"
    assert comparison.independent(9200, 10000, 9100, 10000).verdict == "worse"


@given(TABLES)
def test_the_tests_are_those_of_scipy(table):
    both, fixed, broke, neither = table
    found = comparison.paired(*answers(*table))
    expected = min(1, 2 * stats.binom.cdf(min(fixed, broke), fixed + broke, 0.5))
    assert found.p == pytest.approx(expected)
    apart = comparison.independent(both + broke, sum(table), both + fixed, sum(table))
    pair = [[both + broke, fixed + neither], [both + fixed, broke + neither]]
    assert apart.p == pytest.approx(stats.fisher_exact(pair).pvalue)


@given(TABLES)
def test_swapping_base_and_head_flips_the_sign(table):
    base, head = answers(*table)
    there, back = comparison.paired(base, head), comparison.paired(head, base)
    opposite = {"better": "worse", "worse": "better", "no difference": "no difference"}
    assert back.change == pytest.approx(-there.change)
    assert (back.low, back.high) == (pytest.approx(-there.high), pytest.approx(-there.low))
    assert (back.p, back.verdict) == (pytest.approx(there.p), opposite[there.verdict])
    assert (back.fixed, back.broke) == (there.broke, there.fixed)
    there = comparison.independent(base.sum(), len(base), head.sum(), len(head))
    back = comparison.independent(head.sum(), len(head), base.sum(), len(base))
    assert (back.low, back.high) == (pytest.approx(-there.high), pytest.approx(-there.low))
    assert (back.p, back.verdict) == (pytest.approx(there.p), opposite[there.verdict])


@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_identical_predictions_differ_in_nothing(right):
    found = comparison.paired(np.array(right), np.array(right))
    assert (found.p, found.change, found.verdict) == (1.0, 0.0, "no difference")
    assert (found.fixed, found.broke) == (0, 0)
    assert found.low <= 0 <= found.high


@given(TABLES)
def test_an_interval_holds_the_change_and_stays_within_bounds(table):
    base, head = answers(*table)
    apart = comparison.independent(base.sum(), len(base), head.sum(), len(head))
    for found in (comparison.paired(base, head), apart):
        assert -1 - 1e-9 <= found.low <= found.change + 1e-9
        assert found.change - 1e-9 <= found.high <= 1 + 1e-9


def test_the_paired_interval_covers_the_true_change():
    # 400 draws of 300 images, true change 0.04: of 95 % intervals at least 367 hold it, or chance is
    # below 0.001 (binomial).
    generator = np.random.default_rng(0)
    tables = generator.multinomial(300, [0.80, 0.08, 0.04, 0.08], size=400)
    found = [comparison.paired(*answers(*table)) for table in tables]
    assert sum(each.low <= 0.04 <= each.high for each in found) >= 367


def test_p_values_are_adjusted_as_worked_by_hand():
    # Sorted 0.01, 0.02, 0.04, 0.5 times 4/1, 4/2, 4/3, 4/4; none may exceed the one that follows it.
    np.testing.assert_allclose(comparison.adjust([0.5, 0.01, 0.04, 0.02]), [0.5, 0.04, 0.16 / 3, 0.04])
    assert comparison.adjust([]).size == 0
