"""The benchmark of learning: real peers, on images that can be told apart."""

import importlib.util

import numpy as np
import pytest

from benchmarks.speed import images, learning, race
from stages.running import errors

PEERS = ["ours", "keras_shipped"]  # test_step.py has others
if importlib.util.find_spec("torch"):
    PEERS.append("pytorch")


@pytest.fixture
def subset(tmp_path):
    """Each class a colour."""
    folder = tmp_path / "subset"
    images.write(folder, 300, other=30)
    for split in ("train", "test"):
        labels = np.load(folder / split / "labels.npy")
        pixels = np.random.default_rng(0).integers(0, 100, (len(labels), *images.SHAPE), np.uint8)
        pixels[np.arange(len(labels)), :, :, labels] += 150
        np.save(folder / split / "images.npy", pixels)
    return folder


@pytest.mark.long
def test_peers_are_trained_in_turns_then_tested(subset, capsys):
    raced = race.run(PEERS, subset, epochs=3)
    assert list(raced) == PEERS
    for name, row in raced.items():
        assert len(row["seconds"]) == len(row["losses"]) == 3
        assert row["losses"][-1] < 0.5 * row["losses"][0], name
        # Whether moving statistics have come far enough to tell the colours apart is another matter.
        assert row["accuracy"] in [correct / 30 for correct in range(31)], name
    turns = [line.split()[2].rstrip(":") for line in capsys.readouterr().err.splitlines()]
    assert turns == PEERS * 3
    assert all(name in learning.render(raced) for name in PEERS)


def test_accuracy_is_the_share_of_test_images_classified_right(subset):
    labels = np.load(subset / "test/labels.npy")
    labels[:10] = (labels[:10] + 1) % 3
    np.save(subset / "test/labels.npy", labels)
    by_colour = race.Peer(lambda: 0.0, lambda pixels: pixels.mean(axis=(1, 2)).argmax(axis=1))
    assert race.accuracy(by_colour, subset.parent) == pytest.approx(20 / 30)


def test_less_than_an_epoch_is_refused():
    with pytest.raises(errors.BadInput, match="expected at least one epoch"):
        learning.main(["--peers", "ours", "--epochs", "0"])
