"""Saved models load in the oldest version of Keras that the README names, without this project."""

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from tests import rounding, sandbox, tiny, training

OLDEST = sandbox.PROJECT / ".venv/oldest-keras"
PREDICT = """
import sys
import keras, numpy as np

for model in sys.argv[2:]:
    probabilities = keras.models.load_model(model).predict(np.load(sys.argv[1]), verbose=0)
    np.save(model + ".npy", probabilities)
print(keras.__version__)
"""
MODELS: dict[str, dict] = {
    "airbench": {"model": {"name": "airbench", **training.OPTIONS["airbench"]}, "test_time_augmentation": 6},
    "three_block_cnn": {},
    "dense": {"model": {"name": "dense", "units": [4], "dropout": 0.2}},
}


@pytest.mark.long
@pytest.mark.skipif(not OLDEST.is_dir(), reason="`make test` installs the oldest Keras")
def test_models_load_in_the_oldest_keras(tmp_path):
    records = tiny.build_records(tmp_path, tiny.subset(tmp_path / "arrays"))
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 1)).astype(np.uint8)
    np.save(tmp_path / "images.npy", images)
    for name, changes in MODELS.items():
        keras.utils.clear_session()
        training.run(records, tmp_path / name, precision="float32", epochs=1, **changes)
    models = [str(tmp_path / name / "model/model.keras") for name in MODELS]
    command = [sys.executable, "-c", PREDICT, str(tmp_path / "images.npy"), *models]
    done = subprocess.run(
        command, env={"PYTHONPATH": str(OLDEST)}, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout.splitlines()[-1:] == [pinned()], done.stderr[-2000:]
    for model in models:
        expected = keras.models.load_model(model).predict(images, verbose=0)
        # Softmax of sums over at most 64 values of up to about 2.
        bound = rounding.of_sum(64, 2 * 64)
        np.testing.assert_allclose(np.load(f"{model}.npy"), expected, rtol=0, atol=bound)


def pinned():
    """The version in the requirements file."""
    lines = Path(sandbox.PROJECT / "requirements-oldest.txt").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith("keras==")]
    return line.removeprefix("keras==")
