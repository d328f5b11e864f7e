"""Runs the command line: `python -m var_core generate | edit | outpaint | vary | ...`."""

import sys

from var_core.terminal import run_quietly


def main() -> int:
    """Run the command line; Ctrl-C is answered quietly, also while it is loaded."""
    return run_quietly(_load_and_run)


def _load_and_run() -> int:
    from var_core.command_line.main import main as run  # takes seconds

    return run()


if __name__ == "__main__":
    sys.exit(main())
