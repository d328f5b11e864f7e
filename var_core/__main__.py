"""Runs the command line: `python -m var_core generate | edit | outpaint | vary | ...`."""

import sys

from var_core.terminal import run_quietly


def main() -> int:
    """Load the command line and run it; Ctrl-C is answered quietly from here on."""
    from var_core.command_line.main import main as run  # takes seconds

    return run()


if __name__ == "__main__":
    sys.exit(run_quietly(main))
