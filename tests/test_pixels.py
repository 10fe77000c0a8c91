"""Images are taken in the scale that each of them has."""

import numpy as np
import pytest

from stages.classifier import pixels


def image(low, high):
    """float32 [1, 2, 2, 1] of two values."""
    return np.array([low, high, low, high], np.float32).reshape(1, 2, 2, 1)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (image(0, 12.5), image(0, 12.5)),  # fractions of pixels, as resizing makes them
        (image(0.25, 255), image(0.25, 255)),
        (image(0, 1), image(0, 1)),  # whole: the darkest pixels
        (image(0, 0.5), image(0, 127.5)),
        (image(-1, 1), image(0, 255)),
    ],
)
def test_each_scale_becomes_0_to_255(given, expected):
    np.testing.assert_array_equal(pixels.of_any_scale(given), expected)
    # A neighbour of another scale changes nothing.
    for other in (image(0, 0.5), image(-1, 1), image(0, 255)):
        both = np.asarray(pixels.of_any_scale(np.concatenate([given, other])))
        np.testing.assert_array_equal(both[:1], expected)


@pytest.mark.parametrize(
    ("low", "high", "known"),
    [(0, 255, True), (-1, 1, True), (0, 256, False), (-1.5, 1, False), (-0.5, 7, False), (-1, 255, False)],
)
def test_what_is_in_no_scale_has_no_probabilities(low, high, known):
    found = pixels.only_of_pixels(np.array([[0.25, 0.75]], np.float32), image(low, high))
    assert np.isnan(found).all() != known
