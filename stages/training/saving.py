"""Save a Keras model so that equal models are equal files."""

import json
import tempfile
import zipfile
from pathlib import Path

import keras

EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date a zip archive can hold


def save(model: keras.Model, path: Path) -> None:
    """Write a model in Keras's `.keras` format, without the times that Keras puts into it.

    Keras notes when a model was saved, and its zip members carry the current time, so that no two
    files are the same (https://github.com/keras-team/keras/issues/15143).
    """
    with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        stamped = Path(scratch) / "stamped.keras"
        model.save(stamped)
        with zipfile.ZipFile(stamped) as source, zipfile.ZipFile(path, "w") as target:
            for name in sorted(source.namelist()):
                content = source.read(name)
                if name == "metadata.json":
                    content = _without_date(content)
                target.writestr(zipfile.ZipInfo(name, EPOCH), content)


def _without_date(metadata: bytes) -> bytes:
    values = json.loads(metadata)
    del values["date_saved"]
    return json.dumps(values, sort_keys=True).encode()
