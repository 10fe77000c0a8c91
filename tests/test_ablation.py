"""Every part that is left out is a key of the params file, and the table sets it against the whole."""

import pytest

from benchmarks.suites import ablation
from tests import measured


@pytest.mark.parametrize("part", ablation.PARTS.values(), ids=list(ablation.PARTS))
def test_every_part_can_be_left_out_of_the_params_file(part):
    assert (part.params() == ablation.WHOLE.params()) == (part == ablation.WHOLE)


def test_the_table_compares_each_part_with_the_whole_by_seed():
    parts = {"nothing": [0.90, 0.92], "label smoothing": [0.89, 0.90], "ReLU, for SiLU": [0.91, 0.93]}
    recipes = {name: ablation.PARTS[name].effective() for name in parts}
    found = [
        measured.run(recipes[name].config, recipes[name].overrides, seed, accuracy=value)
        for name, values in parts.items()
        for seed, value in enumerate(values)
    ]
    whole, without, silu = ablation.rows(found)
    assert silu[:3] == ["ReLU, for SiLU", "0.9300 ± 0.0141", "1.00 ± 0.00"]  # the params file's own
    assert whole == ["nothing", "0.9200 ± 0.0141", "0.00 ± 0.00", "6.0 ± 0.0", "2"]
    assert without[:3] == ["label smoothing", "0.9050 ± 0.0071", "-1.50 ± 0.71"]
    text = ablation.page([found, found[:2]])
    assert "| label smoothing | 0.9050 ± 0.0071 | -1.50 ± 0.71 |" in text
    assert text.count(f"on {measured.run().environment['processor']}, ") == 2 and "val_fraction 0.2" in text
    assert text.count("\n\n| without |") == 2, "Markdown has no table without a blank line before it"
    assert text.count("| nothing | 0.9200 ± 0.0141 |") == 2 and text.count("| ReLU, for SiLU |") == 1


def test_parts_that_have_not_been_measured_have_no_row():
    assert ablation.rows([]) == []
