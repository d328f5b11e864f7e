"""The command `var-studio`: serves the page from an installed package or from a checkout."""

import importlib

from var_core.locations import in_checkout
from var_core.terminal import run_quietly


def main() -> int:
    """Run app.py, which an installed package carries as `var_core.app`; returns the exit code."""
    return run_quietly(_load_and_run)


def _load_and_run() -> int:
    page = importlib.import_module("app" if in_checkout() else "var_core.app")
    return page.main()
