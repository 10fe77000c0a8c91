"""The benchmark of calibration: a row per params file, in the benchmark's order."""

import pytest
from ruamel.yaml import YAML

from benchmarks.suites import calibration
from tests import measured, sandbox


def test_a_row_shows_both_measures_before_and_after():
    metrics = {
        "loss": 0.1,
        "calibration_error": 0.01,
        "uncalibrated": {"loss": 0.2, "calibration_error": 0.1},
    }
    other = {**metrics, "loss": 0.3}
    tried = [
        measured.run("fashion-mnist", metrics=metrics),
        measured.run("cifar10-three-classes", metrics=metrics),
        measured.run("cifar10-three-classes", seed=1, metrics=other),
    ]
    rows = calibration.rows(tried)
    assert rows[0][:3] == ["`cifar10-three-classes`", "0.2000 ± 0.0000", "0.2000 ± 0.1414"]
    assert rows[1] == ["`fashion-mnist`", "0.2000", "0.1000", "0.1000", "0.0100", "1"]


@pytest.mark.parametrize("name", calibration.CONFIGS)
def test_the_params_files_calibrate(name):
    params = YAML(typ="safe").load(sandbox.PROJECT / "configs" / f"{name}.yaml")
    assert params["train"]["calibrate"] == "temperature" and params["subset"]["val_fraction"] > 0
