"""The benchmark of growth: sets by name, params that the stages take, a row and a curve per set."""

import importlib

import pytest

from benchmarks.suites import growth
from stages.running import errors, outputs, paramfile


def measured(pixels, images, seconds):
    stages = {stage: {"seconds": seconds, "gib": 0.5} for stage in growth.STAGES}
    return {"pixels": pixels, "images": images, "way": "decoded", "stages": stages}


@pytest.mark.parametrize("text", ["32", "33:1000", "32:99", "32:many", ":", "32:-1000"])
def test_a_set_of_another_form_is_bad_input(text):
    with pytest.raises(errors.BadInput, match=r"expected 32:COUNT or 256:COUNT"):
        growth.parse(text)


@pytest.mark.parametrize("name", growth.SETS)
def test_the_params_are_those_of_the_stages(tmp_path, name):
    growth.write_params(tmp_path, growth.parse(name))
    for stage in growth.STAGES:
        schema = importlib.import_module(f"stages.{stage}").Params
        paramfile.read(schema, stage, tmp_path / "params.yaml")


def test_a_set_replaces_earlier_figures_of_it(tmp_path, monkeypatch):
    monkeypatch.setattr(growth, "RESULTS", tmp_path / "growth.json")
    for each in (measured(256, 1000, 3.0), measured(32, 1000, 2.0), measured(256, 1000, 4.0)):
        growth.keep(each)
    found = outputs.read_json(growth.RESULTS)["sets"]
    assert [(each["pixels"], each["stages"]["train"]["seconds"]) for each in found] == [(32, 2.0), (256, 4.0)]
    rows = growth.rows(growth.read())
    assert rows[0] == ["32", "1,000", "decoded", *5 * ["2 s"], "0.50 GiB"]
    seconds, memory = growth.figure(growth.read()).axes
    assert len(seconds.lines) == 10 and len(memory.lines) == 11
