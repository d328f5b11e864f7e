"""Runs the command line: `python -m var_core generate | edit | outpaint | vary | ...`."""

import sys

from var_core.command_line.main import main

if __name__ == "__main__":
    sys.exit(main())
