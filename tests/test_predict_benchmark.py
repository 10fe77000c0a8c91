"""The benchmark of predict: what it runs, and what it makes of the seconds."""

import csv

import pytest

from benchmarks import child
from benchmarks.speed import pictures, predict
from tests import trained


def test_rates_are_compared_without_the_start(tmp_path, monkeypatch):
    monkeypatch.setattr(predict, "MODEL_SECONDS", 0)
    monkeypatch.setattr(pictures, "DIFFERENT", 10)
    listed = []

    def run(words, folder):
        *_, table = words
        with open(table, encoding="utf-8") as file:
            listed.append([row["file_name"] for row in csv.DictReader(file)])
        return child.Usage(seconds=5 + len(listed[-1]) / 10, peak_mib=1024 + len(listed[-1]), said="")

    monkeypatch.setattr(child, "run", run)
    model = trained.write(tmp_path / "model")
    found = {each.what: each for each in predict.measure(tmp_path, 30, model)}
    assert [len(set(files)) for files in listed] == [1, 3, 30]
    assert found["predict"].measured == pytest.approx(10)
    alone = [found[f"{which} alone"].measured for which in ("decoder", "model")]
    assert found["predict"].bound == pytest.approx(0.8 * min(alone))
    assert found["both, if they share the cores"].measured < min(alone)
    assert found["predict: memory beyond that of a tenth"].measured == 27
