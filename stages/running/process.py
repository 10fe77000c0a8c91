"""Prepare the process: oneDNN, memory, and what happens while the modules of a command are imported."""

import sys

from stages.running import ending, output, signals
from stages.running import onednn as onednn

if sys.argv[0] == "-m":  # Python is about to import and run a module of this project
    output.open_closed()
    signals.end_at_once()
    sys.excepthook = ending.said_of_imports
    ending.require_addresses()
