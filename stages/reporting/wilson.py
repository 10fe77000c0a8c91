"""How sure is a share of images? Counts in, an interval out."""

import numpy as np
from scipy import special, stats

CONFIDENCE = 0.95  # of the interval


def interval(right: int, images: int) -> tuple[float, float]:
    """Wilson's score interval of a share (Journal of the American Statistical Association 22, 1927).

    Args:
        right: How many images count.
        images: Of how many, at least one.
    """
    found = stats.binomtest(right, images).proportion_ci(CONFIDENCE, method="wilson")
    return float(found.low), float(found.high)


def lower_bounds(right: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Return the lower ends of the intervals of many shares, float64 [N]; see `interval`.

    Args:
        right: int [N].
        images: int [N], at least one each.
    """
    z, share = special.ndtri((1 + CONFIDENCE) / 2), right / images
    reach = z * np.sqrt(share * (1 - share) / images + (z / (2 * images)) ** 2)
    return (share + z**2 / (2 * images) - reach) / (1 + z**2 / images)
