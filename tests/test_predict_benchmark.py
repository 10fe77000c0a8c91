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
    rows = predict.measure(tmp_path, 30, model)
    measured, bounds = ({each.what: each._asdict()[key] for each in rows} for key in ("measured", "bound"))
    assert [len(set(files)) for files in listed] == [1, 3, 30]
    assert measured["predict"] == pytest.approx(10)
    alone = [measured[f"{which} alone"] for which in ("decoder", "model")]
    assert bounds["predict"] == pytest.approx(0.8 * measured["both, if they share the cores"])
    assert measured["both, if they share the cores"] < min(alone)
    assert measured["predict: memory beyond that of a tenth"] == 27
