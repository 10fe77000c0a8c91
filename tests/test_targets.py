"""Measured figures beside their bounds, in aligned tables."""

import pytest

from benchmarks import table
from benchmarks.speed import targets


def test_columns_are_aligned_and_figures_flush_right():
    assert table.render(["what", "s"], [["train", "1.5"], ["all", "12.0"]]).splitlines() == [
        "what       s",
        "------  ----",
        "train    1.5",
        "all     12.0",
    ]


@pytest.mark.parametrize(
    ("kind", "measured", "met"),
    [
        ("at least", 3.5, True),
        ("at least", 3.4, False),
        ("at most", 3.5, True),
        ("at most", 3.6, False),
        ("at most", None, None),
    ],
)
def test_a_target_is_met_up_to_its_bound(kind, measured, met):
    assert targets.Target("speed", measured, kind, 3.5, "times").met is met


def test_the_table_says_what_is_met_and_what_was_not_measured():
    rows = [
        targets.Target("reading", 310_000.4, "at least", 300_000, "images/s"),
        targets.Target("start", 0.72, "at most", 0.5, "s"),
        targets.Target("all", None, "at most", 25, "s"),
    ]
    reading, start, all_of_it = targets.render([row.as_json() for row in rows]).splitlines()[2:]
    assert reading.split() == "reading 310,000 images/s at least 300,000 images/s met".split()
    assert start.split() == "start 0.72 s at most 0.50 s NOT MET".split()
    assert all_of_it.split() == "all - at most 25.00 s not measured".split()
