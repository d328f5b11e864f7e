"""Trains tokenizer and transformer; run the modules of this folder with `python -m`."""

import os
import sys
from pathlib import Path

from var_core.terminal import be_quiet_while_loading, tell_while_loading

if sys.argv[:1] == ["-m"]:  # Python finds the command `python -m training.NAME`; loading follows
    be_quiet_while_loading()
    if os.environ.get("RANK", "0") == "0":  # of several processes the first
        tell_while_loading()
__path__.append(str(Path(__file__).parent / "renamed_commands"))  # old names of commands
