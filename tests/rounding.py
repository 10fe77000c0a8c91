"""How far apart two ways to compute the same numbers may end: bounds from the precision of the arithmetic.

The unit roundoff u is half the distance from 1 to the next number: a rounding moves a number x by at most
u |x|. What comes of n roundings of a sum, added up in any order, stays below CONFIDENCE sqrt(n) u times the
sum of the absolute values of its terms, but for one sum in 270,000 (Higham and Mary, "A new approach to
probabilistic rounding error analysis", SIAM J. Sci. Comput. 41(5), 2019: the bound fails with a probability
of at most 2 exp(-CONFIDENCE^2 / 2)).
"""

import math

UNIT = {"float32": 2.0**-24, "bfloat16": 2.0**-8, "float16": 2.0**-11}
CONFIDENCE = 5


def of_sum(terms, size=1.0, precision="float32"):
    """Bound the difference of two sums of `terms` terms, or of two products of matrices.

    Args:
        terms: The number of terms.
        size: What their absolute values add up to, a number or an array.
        precision: A key of UNIT; of the arithmetic, not only of the inputs.
    """
    return 2 * CONFIDENCE * math.sqrt(terms) * UNIT[precision] * size


def of_steps(steps, size=1.0, precision="float32"):
    """Bound the difference of two values after a number of roundings in a row, of numbers up to `size`."""
    return 2 * steps * UNIT[precision] * size
