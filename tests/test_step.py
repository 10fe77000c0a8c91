"""The benchmark of the training step: what it makes of seconds, and a tiny run of real peers."""

import importlib.util
import json

import numpy as np
import pytest

from benchmarks.speed import images, race, step
from stages.layers import processor
from stages.running import errors

SECONDS = {
    "ours": [1.0, 2.0, 9.0],
    "keras_tutorial": [8.0, 8.0, 8.0],
    "pytorch": [4.0, 4.0, 4.0],
    "pytorch_compiled": [3.0, 3.0, 1.0],
}


def test_ratios_are_of_medians():
    report = step.summarize(SECONDS, step.EPOCH)
    assert {peer: row["times_ours"] for peer, row in report["peers"].items()} == {
        "ours": 1.0,
        "keras_tutorial": 4.0,
        "pytorch": 2.0,
        "pytorch_compiled": 1.5,
    }


@pytest.mark.parametrize(("instruction_set", "met"), [("amx", False), ("avx2", True)])
def test_the_faster_pytorch_counts(monkeypatch, instruction_set, met):
    monkeypatch.setattr(processor, "instruction_set", lambda: instruction_set)
    tutorial, pytorch = step.summarize(SECONDS, step.EPOCH)["targets"]
    assert (tutorial["measured"], tutorial["met"]) == (4.0, True)
    assert (pytorch["measured"], pytorch["met"]) == (1.5, met)


def test_a_part_of_an_epoch_is_scaled_to_a_whole_one():
    row = step.summarize({"ours": [2.0]}, step.EPOCH // 10)["peers"]["ours"]
    assert row["median_seconds_per_epoch"] == 20.0
    assert row["images_per_second"] == 750.0


def test_without_ours_nothing_is_compared():
    report = step.summarize({"keras_tutorial": [8.0]}, step.EPOCH)
    assert report["peers"]["keras_tutorial"]["times_ours"] is None
    assert [each["met"] for each in report["targets"]] == [None, None]


@pytest.mark.long
def test_peers_take_turns_and_the_report_is_written(tmp_path, capsys):
    output = tmp_path / "step.json"
    arguments = ["--rounds", "2", "--steps", "2", "--peers", "ours", "keras_tuned"]
    step.main([*arguments, "--output", str(output)])
    report = json.loads(output.read_text())
    assert report["images_per_round"] == 2 * race.BATCH_SIZE
    assert [len(row["seconds_per_epoch"]) for row in report["peers"].values()] == [2, 2]
    assert report["machine"]["packages"]["keras"]
    printed = capsys.readouterr()
    assert "ours" in printed.out and "not measured" in printed.out
    turns = [line.split()[2] for line in printed.err.splitlines() if line.startswith("round")]
    assert turns == ["ours:", "keras_tuned:"] * 3


@pytest.mark.skipif(not importlib.util.find_spec("torch"), reason="needs torch")
def test_pytorch_trains_too(tmp_path):
    images.write(tmp_path / "subset", 150)
    (row,) = race.run(["pytorch"], tmp_path / "subset", 2).values()
    assert np.isfinite(row["losses"]).all()


@pytest.mark.skipif(bool(importlib.util.find_spec("torch")), reason="torch is installed")
def test_without_torch_the_requirements_file_is_named():
    with pytest.raises(errors.BadInput, match=r"requirements-bench\.txt"):
        step.main([])


@pytest.mark.parametrize("option", ["--rounds", "--steps"])
def test_less_than_a_step_is_refused(option):
    with pytest.raises(errors.BadInput, match="expected at least one round of one step"):
        step.main(["--peers", "ours", option, "0"])


def test_a_peer_that_ends_is_named_with_what_it_said(tmp_path):
    with pytest.raises(errors.BadInput, match=r"(?s)peer keras_tutorial: .*FileNotFoundError"):
        race.run(["keras_tutorial"], tmp_path / "nowhere", 1)
