"""Load weights from a file of Keras."""

import warnings
import zipfile
from pathlib import Path

import keras

from stages.running import errors

SUFFIXES = [".weights.h5", ".keras", ".h5"]


def load(model: keras.Model, path: Path) -> None:
    """Set the weights of a model from a file.

    Raises:
        errors.BadInput: the file is no file of Keras, is damaged, or does not fit; the message begins
            with its path.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a hundred warnings come before the one error
            model.load_weights(path)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise errors.BadInput(f"{path}, which does not fit: {str(error).splitlines()[0]}") from error
