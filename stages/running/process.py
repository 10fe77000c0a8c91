"""Prepare the process: oneDNN, memory, TensorFlow's log, and what happens while modules are imported."""

import os
import sys

from stages.running import ending, output, signals
from stages.running import onednn as onednn

if os.environ.get("TF_CONFIG"):
    # TensorFlow's log of a lost worker takes a page. An exception follows, which becomes a line.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

if sys.argv[0] == "-m":  # Python is about to import and run a module of this project
    output.open_closed()
    signals.end_at_once()
    sys.excepthook = ending.said_of_imports
    ending.require_addresses()
