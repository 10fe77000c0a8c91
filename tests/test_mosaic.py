"""Many small pictures in one."""

import numpy as np
import pytest

from stages.figures import mosaic


@pytest.mark.parametrize("channels", [(), (3,)])
def test_pictures_are_in_rows_with_gaps_between(channels):
    pictures = np.arange(3.0).reshape(3, 1, 1, *[1] * len(channels)) * np.ones((1, 64, 32, *channels))
    whole = mosaic.mosaic(pictures, columns=2)
    assert whole.shape == (132, 68, *channels)
    for index, (top, left) in enumerate([(0, 0), (0, 36), (68, 0)]):
        assert np.all(whole[top : top + 64, left : left + 32] == index)
    assert np.isnan(whole[64:68]).all() and np.isnan(whole[:, 32:36]).all()
    assert np.isnan(whole[68:, 36:]).all()


def test_a_tiny_picture_is_enlarged_so_that_the_gap_stays_thin():
    whole = mosaic.mosaic(np.array([[[1.0, 2.0]], [[3.0, 4.0]]]), columns=1)
    assert whole.shape == (16 + 2 + 16, 32)
    assert np.all(whole[:16, :16] == 1) and np.all(whole[18:, 16:] == 4)


def test_one_picture_has_no_gap():
    assert not np.isnan(mosaic.mosaic(np.ones((1, 40, 40)), columns=1)).any()


def test_bytes_stay_bytes_with_a_gap_of_any_value():
    whole = mosaic.mosaic(np.full((2, 32, 32), 7, np.uint8), columns=2, gap=255)
    assert whole.dtype == np.uint8
    assert (whole[:, 32:34] == 255).all() and (np.delete(whole, [32, 33], axis=1) == 7).all()
