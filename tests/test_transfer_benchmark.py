"""The benchmark of transfer learning: what it makes of seconds, and what its peers get."""

import json

import pytest

from benchmarks.speed import race, transfer
from stages import train as train_stage
from stages.running import errors, paramfile

SECONDS = {
    "ours": [1.0, 2.0, 9.0],
    "transfer_keras": [4.0, 4.0, 4.0],
    "transfer_keras_frozen": [3.0, 3.0, 3.0],
    "head_once": [2.0, 2.0, 2.0],
    "head_always": [9.0, 8.0, 1.0],
}


def test_ratios_are_of_medians_of_what_does_the_same():
    report = transfer.summarize(SECONDS, steps=2, head_epochs=3)
    assert {peer: row["times_quick"] for peer, row in report["peers"].items()} == {
        "ours": 1.0,
        "transfer_keras": 2.0,
        "transfer_keras_frozen": 1.5,
        "head_once": 1.0,
        "head_always": 4.0,
    }
    assert [each["met"] for each in report["targets"]] == [True, False]


def test_the_report_is_written_and_printed(tmp_path, monkeypatch, capsys):
    raced = []

    def run(peers, subset, rounds, params):
        raced.append((peers, rounds, (subset / "train/images.npy").is_file()))
        train = paramfile.read(train_stage.Params, "train", params)
        assert (train.model["name"], train.batch_size, train.epochs) == ("transfer", 32, 2)
        return {peer: {"seconds": [100.0, *SECONDS[peer]]} for peer in peers}

    monkeypatch.setattr(race, "run", run)
    output = tmp_path / "transfer.json"
    transfer.main(["--rounds", "3", "--steps", "1", "--head-epochs", "2", "--output", str(output)])
    assert raced == [(transfer.FINE_TUNING, 4, True), (transfer.HEAD, 4, True)]
    report = json.loads(output.read_text())
    assert set(report["peers"]) == set(race.TRANSFER)
    assert report["peers"]["ours"]["images_per_epoch"] == transfer.BATCH_SIZE
    assert "2 epochs of the head" in capsys.readouterr().out


@pytest.mark.parametrize("option", ["--rounds", "--steps", "--head-epochs"])
def test_less_than_one_of_each_is_refused(option):
    with pytest.raises(errors.BadInput, match="at least one round of one step"):
        transfer.main([option, "0"])
