"""The benchmark of several workers: what it makes of seconds."""

import pytest

from benchmarks.speed import workers
from stages.running import errors


def test_the_rates_are_of_medians_and_their_quotient_has_a_bound():
    one, two = workers.WAYS
    report = workers.summarize({one: [1.0, 2.0, 9.0], two: [2.0, 2.5, 9.0]}, 1000)
    measured = [each["measured"] for each in report["targets"]]
    assert measured == [500.0, 400.0, 0.8]
    assert report["targets"][-1]["met"] is False


def test_an_epoch_without_graphs_to_build_is_needed():
    with pytest.raises(errors.BadInput, match="at least one round of two epochs"):
        workers.main(["--epochs", "1"])
