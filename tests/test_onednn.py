"""Importing the project switches oneDNN on, unless the user has decided."""

import os
import platform
import subprocess
import sys

import pytest
from tensorflow.python.util import _pywrap_util_port  # TensorFlow has no public name for it

from stages.layers import processor

x86 = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="oneDNN is a choice on x86 only"
)
SCRIPT = "import stages, os; print(os.environ['TF_ENABLE_ONEDNN_OPTS'])"


def said(**environment):
    kept = {name: value for name, value in os.environ.items() if name != "TF_ENABLE_ONEDNN_OPTS"}
    command = [sys.executable, "-c", SCRIPT]
    return subprocess.run(command, env=kept | environment, capture_output=True, text=True).stdout.strip()


@x86
def test_onednn_is_on_unless_the_user_has_set_it():
    assert said() == "1"


@x86
def test_what_the_user_has_set_stays():
    assert said(TF_ENABLE_ONEDNN_OPTS="0") == "0"


@x86
def test_what_is_recorded_is_what_tensorflow_says():
    assert processor.onednn_is_on() == _pywrap_util_port.IsMklEnabled()
