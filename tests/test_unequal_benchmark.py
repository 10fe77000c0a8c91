"""The benchmark of unequal classes: what is left of the small class, and the rows of its table."""

import numpy as np
import pytest

from benchmarks.speed import images
from benchmarks.suites import unequal
from stages.inputs import arrays


@pytest.mark.parametrize(("times", "left"), [(1, 20), (2, 10), (7, 3), (50, 1)])
def test_one_of_so_many_images_of_the_small_class_is_kept(tmp_path, times, left):
    images.write(tmp_path / "whole", 60)  # 20 of each of three classes
    unequal.thin(tmp_path / "whole/train", tmp_path / "thinned/train", times)
    whole, thinned = (arrays.Split(tmp_path / name / "train") for name in ("whole", "thinned"))
    small = whole.manifest.classes.index(unequal.SMALL)
    counts = np.bincount(thinned.labels, minlength=3)
    assert counts[small] == left and (np.delete(counts, small) == 20).all()
    np.testing.assert_array_equal(thinned.images[np.arange(len(counts))], whole.images[thinned.positions[:3]])


def test_a_row_has_mean_and_deviation_of_each_measure():
    run = {"recall": 0.5, "precision": 0.9, "balanced_accuracy": 0.8, "accuracy": 0.95}
    (row,) = unequal.rows({"none": [run, run | {"recall": 0.7}], "untried": []})
    assert row == ["none", "0.6000 ± 0.1414", "0.9000 ± 0.0000", "0.8000 ± 0.0000", "0.9500 ± 0.0000", "2"]
