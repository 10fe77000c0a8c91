"""The benchmark of several workers: what it compares, and what it makes of seconds."""

import pytest

from benchmarks.speed import workers
from stages.running import errors


def test_the_rates_are_of_medians_and_their_quotient_has_a_bound():
    report = workers.summarize({"one": [1.0, 2.0, 9.0], "two": [2.0, 2.5, 9.0]}, 1000, 0.85)
    measured = [each["measured"] for each in report["targets"]]
    assert measured == [500.0, 400.0, 0.8]
    assert report["targets"][-1]["met"] is False


def test_both_ways_have_the_same_cores(monkeypatch):
    monkeypatch.setattr(workers.os, "sched_getaffinity", lambda process: {5, 3, 7})
    one, two = workers.compared("cpu")
    assert (one.cores, two.cores) == ([{3, 5}], [{3}, {5}])
    assert [way.strategy for way in workers.compared("gpu")] == ["one", "mirrored"]


def test_one_core_is_not_enough(monkeypatch):
    monkeypatch.setattr(workers.os, "sched_getaffinity", lambda process: {0})
    with pytest.raises(errors.BadInput, match="expected two cores"):
        workers.compared("cpu")


def test_an_epoch_without_graphs_to_build_is_needed():
    with pytest.raises(errors.BadInput, match="at least one round of two epochs"):
        workers.main(["--epochs", "1"])
