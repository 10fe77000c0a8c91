"""The benchmark of encoded records: what it runs, and what it makes of the seconds."""

import json
from pathlib import Path

import pytest

from benchmarks import child
from benchmarks.speed import encoded, pictures
from stages import records, subset
from stages.running import cores, paramfile


def test_rates_and_memory_are_those_of_the_processes(tmp_path, monkeypatch):
    ran = []

    def run(words, folder):
        ran.append(list(map(str, words)))
        if "read.json" in ran[-1][-1]:
            of_many = "/many/" in ran[-1][-1]
            Path(ran[-1][-1]).write_text(json.dumps({"rate": 1500, "peak": 500 + 50 * of_many}))
        return child.Usage(seconds=20 if "os.sched_setaffinity" in ran[-1][2] else 8, peak_mib=700, said="")

    monkeypatch.setattr(child, "run", run)
    monkeypatch.setattr(pictures, "DIFFERENT", 2)
    monkeypatch.setattr(cores, "usable", lambda: 2)
    measured = encoded.measure(tmp_path, 16)
    assert [each.measured for each in measured] == [16 / 20, 20 / 8, 1500, pytest.approx(1.1)]
    assert measured[1].bound == 1.8
    assert sum("stages.records" in words for words in ran) == 3
    chosen = paramfile.read(records.Params, "records", tmp_path / "many/params.yaml")
    assert (chosen.encoding, chosen.encoded.short_side) == ("encoded", encoded.SHORT_SIDE)
    assert paramfile.read(subset.Params, "subset", tmp_path / "few/params.yaml").decode == "later"


def test_a_command_on_one_core_has_no_other(tmp_path):
    program = "import os; print(len(os.sched_getaffinity(0)))"
    assert encoded.on_one_core(["-c", program]).said.strip() == "1"
