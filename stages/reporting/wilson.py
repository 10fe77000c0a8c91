"""How sure is a share of images? Counts in, an interval out."""

from scipy import stats

CONFIDENCE = 0.95  # of the interval


def interval(right: int, images: int) -> tuple[float, float]:
    """Wilson's score interval of a share (Journal of the American Statistical Association 22, 1927).

    Args:
        right: How many images count.
        images: Of how many, at least one.
    """
    found = stats.binomtest(right, images).proportion_ci(CONFIDENCE, method="wilson")
    return float(found.low), float(found.high)
