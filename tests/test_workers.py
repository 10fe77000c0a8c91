"""Two workers on the loopback interface train together, by the train stage's command."""

import json
import os
import signal
import socket
import subprocess
import sys

import keras
import numpy as np
import pytest
from ruamel.yaml import YAML

from tests import tiny, training

# The command of dvc.yaml, with a checkpoint after every epoch; a worker can be killed after one.
COMMAND = """
import os, signal
from stages import train
from stages.running import command
from stages.training import checkpoints

checkpoints.FIRST_SECONDS, checkpoints.SHARE = 0.0, float("inf")
save = checkpoints.Checkpoints.save

def killed(self, state):
    save(self, state)
    if state.epoch == int(os.environ["KILLED_AFTER"]):
        os.kill(os.getpid(), signal.SIGKILL)

checkpoints.Checkpoints.save = killed
command.run(train.train, train.Params)
"""
SGD = training.PARAMS["optimizer"] | {"name": "sgd", "learning_rate": 0.05}
EPOCHS = 5  # of 24 images in batches of 7: twenty steps, and shares that differ
PARAMS = training.PARAMS | {
    "model": {"name": "dense", "units": [4], "dropout": 0.0},
    "optimizer": SGD,
    "epochs": EPOCHS,
    "batch_size": 7,
    "strategy": "multi_worker",
}
SECONDS = 60  # for which a worker may go on when another one is lost


class Pair:
    """Two workers, each with a folder of its own for its outputs; the chief can be killed after an epoch."""

    def __init__(self, folder, killed_after=0):
        self.folder = folder
        held = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
        self.addresses = [f"127.0.0.1:{each.getsockname()[1]}" for each in held]
        for each in held:
            each.close()
        self.workers = [self.start(0, killed_after), self.start(1, 0)]
        try:
            self.said = [worker.communicate(timeout=4 * SECONDS) for worker in self.workers]
        finally:
            for worker in self.workers:
                worker.kill()
        self.statuses = [worker.returncode for worker in self.workers]

    def start(self, number, killed_after):
        own = self.folder / f"worker-{number}"
        own.mkdir(exist_ok=True)
        records = self.folder / "records"
        paths = [records / "train", records / "val", own / "model", own / "history.csv"]
        task = {"cluster": {"worker": self.addresses}, "task": {"type": "worker", "index": number}}
        settings = {"TF_CONFIG": json.dumps(task), "KILLED_AFTER": str(killed_after)}
        return subprocess.Popen(
            [sys.executable, "-c", COMMAND, *paths, "--params", self.folder / "params.yaml"],
            env={**os.environ, **settings, "IMAGE_PIPELINE_CACHE": str(self.folder / "cache")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def left(self, number):
        """The bytes of all files in a worker's folder."""
        own = self.folder / f"worker-{number}"
        return {path.name: path.read_bytes() for path in own.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("workers")
    tiny.build_records(folder, tiny.subset(folder / "arrays"))
    YAML().dump({"train": PARAMS}, folder / "params.yaml")
    return folder


def test_two_workers_learn_what_one_learns_even_if_one_is_lost_on_the_way(folder, tmp_path):
    # A worker is lost: the other one ends with a line that names it. The loss of the chief is noticed within
    # two seconds, that of another worker after twelve.
    lost = Pair(folder, killed_after=3)
    assert lost.statuses == [-signal.SIGKILL, 1]
    said = lost.said[1][1]
    assert said.splitlines()[-1].startswith(f"train: error: lost worker 0 ({lost.addresses[0]}): ")
    assert "Traceback" not in said and "UNAVAILABLE" not in said
    assert lost.left(0) == lost.left(1) == {}

    # Started again, the two go on, and only the chief says how and writes.
    pair = Pair(folder)
    assert pair.statuses == [0, 0], pair.said
    assert "going on after epoch 3, " in pair.said[0][0]
    assert f"epoch {EPOCHS}/{EPOCHS}: 24 of 24 images" in pair.said[0][1]
    environment = json.loads(pair.left(0)["environment.json"])
    assert (environment["replicas"], environment["workers"]) == (2, 2)
    assert pair.left(1) == {} and not list((folder / "cache/checkpoints").iterdir())
    assert pair.said[1][0].splitlines()[-1].endswith("; worker 0 says how it goes")

    keras.utils.clear_session()
    one = training.run(folder / "records", tmp_path, **PARAMS | {"strategy": "one"})
    chief = folder / "worker-0"
    np.testing.assert_allclose(training.history(chief), training.history(one), atol=1e-5)
    weights = (training.load(trained).get_weights() for trained in (chief, one))
    for received, expected in zip(*weights, strict=True):
        np.testing.assert_allclose(received, expected, atol=1e-5)
