"""The interval agrees with its formula."""

import math

import pytest
from scipy import stats

from stages.reporting import wilson


def test_the_interval_is_that_of_the_formula():
    z, share = stats.norm.ppf(0.975), 0.9
    half = z * math.sqrt(share * (1 - share) / 50 + z**2 / (4 * 50**2)) / (1 + z**2 / 50)
    centre = (share + z**2 / 100) / (1 + z**2 / 50)
    assert wilson.interval(45, 50) == (pytest.approx(centre - half), pytest.approx(centre + half))


@pytest.mark.parametrize("images", [1, 3, 10_000])
def test_none_right_and_all_right_reach_the_bounds(images):
    assert wilson.interval(0, images)[0] == pytest.approx(0)
    assert wilson.interval(images, images)[1] == pytest.approx(1)
