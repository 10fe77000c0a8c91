"""Every part that is left out is a key of the params file, and the table sets it against the whole."""

from pathlib import Path

import pytest

from benchmarks import ablation, runs
from tests import measured


@pytest.mark.parametrize("part", ablation.PARTS.values(), ids=list(ablation.PARTS))
def test_every_part_can_be_left_out_of_the_params_file(part):
    whole = runs.params(Path(), ablation.CONFIG, ablation.SHORT)
    without = runs.params(Path(), ablation.CONFIG, {**ablation.SHORT, **part})
    assert (without == whole) == (not part)


def test_the_table_says_what_each_part_adds():
    parts = {"nothing": [0.90, 0.92], "label smoothing": [0.89, 0.90]}
    found = [
        measured.run(ablation.CONFIG, {**ablation.SHORT, **ablation.PARTS[name]}, seed, accuracy=value)
        for name, values in parts.items()
        for seed, value in enumerate(values)
    ]
    _, _, whole, without = ablation.render(found).splitlines()
    assert whole.split() == ["nothing", "0.9200", "±", "0.0141", "+0.00", "6.0", "±", "0.0", "2"]
    assert without.split()[:5] == ["label", "smoothing", "0.9050", "±", "0.0071"]
    assert "-1.50" in without


def test_parts_that_have_not_been_measured_have_no_row():
    assert ablation.render([]).splitlines()[2:] == []
